//! Floor 9. What a reload would change: things that come, go and become others, what waits for a new start, and
//! what models would pay.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use super::{
    listing::{self, Listing, from_to},
    things::{self, Thing},
};
use crate::{engine::Generation, serve};

/// A plan, and what models are told of it.
pub(super) struct Side {
    pub(super) generation: Arc<Generation>,
    pub(super) listing: Listing,
}

/// The differences between two plans, in words.
pub(super) fn told(old: &Side, new: &Side) -> String {
    let (before, after) = (things::of(old.generation.plan()), things::of(new.generation.plan()));
    let was: BTreeMap<&str, &Thing> = before.iter().map(|thing| (thing.name.as_str(), thing)).collect();
    let is: BTreeMap<&str, &Thing> = after.iter().map(|thing| (thing.name.as_str(), thing)).collect();
    let (mut text, mut counts) = (String::new(), [0_usize; 3]);
    for thing in &after {
        // Writing to a String cannot fail, here and below.
        match was.get(thing.name.as_str()) {
            None => {
                counts[0] += 1;
                let _ = writeln!(text, "+ {}{}", thing.name, alone(thing, &new.listing));
            }
            Some(other) => {
                let parts = changed(other, thing);
                if !parts.is_empty() {
                    counts[1] += 1;
                    let _ = writeln!(text, "~ {}: {}", thing.name, in_words(thing, &parts, &old.listing, &new.listing));
                }
            }
        }
    }
    for thing in before.iter().filter(|thing| !is.contains_key(thing.name.as_str())) {
        counts[2] += 1;
        let _ = writeln!(text, "- {}{}", thing.name, alone(thing, &old.listing));
    }
    let fixed: Vec<_> = serve::read_once(&old.generation.plan().server, &new.generation.plan().server).collect();
    if !fixed.is_empty() {
        let _ = writeln!(text, "from the next start on: {}", fixed.join(", "));
    }
    if counts == [0; 3] {
        return "nothing would change".into();
    }
    let [added, others, removed] = counts;
    let _ = writeln!(text, "{added} added, {others} changed, {removed} removed");
    let _ = write!(text, "{}", listing::total(&old.listing, &new.listing));
    text
}

/// What a tool that comes or goes costs.
fn alone(thing: &Thing, listing: &Listing) -> String {
    let tokens = thing.name.strip_prefix("tool ").and_then(|name| listing.tokens_of(name));
    tokens.map_or(String::new(), |tokens| format!(": {tokens} tokens"))
}

/// The parts that say something else, with the arguments that do, and what that costs.
fn in_words(thing: &Thing, parts: &[&str], old: &Listing, new: &Listing) -> String {
    let Some(tool) = thing.name.strip_prefix("tool ") else { return parts.join(", ") };
    let which = Listing::arguments(old, new, tool);
    let mut words: Vec<String> = parts
        .iter()
        .map(|part| {
            if *part == "arguments" && !which.is_empty() { format!("arguments ({which})") } else { (*part).to_owned() }
        })
        .collect();
    match (old.tokens_of(tool), new.tokens_of(tool)) {
        (Some(before), Some(after)) if before != after => words.push(from_to(before, after)),
        _ => {}
    }
    words.join(", ")
}

/// The parts that say something else.
fn changed<'t>(old: &Thing, new: &'t Thing) -> Vec<&'t str> {
    if old.parts.len() != new.parts.len() {
        return vec!["it is of another kind"];
    }
    let pairs = old.parts.iter().zip(&new.parts);
    pairs.filter(|(old, new)| old != new).map(|(_, (name, _))| *name).collect()
}
