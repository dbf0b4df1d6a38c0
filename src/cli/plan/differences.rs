//! Floor 9. What a reload would change: things that come, go and become others, and what waits for a new start.

use std::{collections::BTreeMap, fmt::Write as _};

use super::things::{self, Thing};
use crate::{plan::Plan, serve};

/// The differences between two plans, in words.
pub(super) fn told(old: &Plan, new: &Plan) -> String {
    let (before, after) = (things::of(old), things::of(new));
    let was: BTreeMap<&str, &Thing> = before.iter().map(|thing| (thing.name.as_str(), thing)).collect();
    let is: BTreeMap<&str, &Thing> = after.iter().map(|thing| (thing.name.as_str(), thing)).collect();
    let (mut text, mut counts) = (String::new(), [0_usize; 3]);
    for thing in &after {
        // Writing to a String cannot fail, here and below.
        match was.get(thing.name.as_str()) {
            None => {
                counts[0] += 1;
                let _ = writeln!(text, "+ {}", thing.name);
            }
            Some(other) => {
                let parts = changed(other, thing);
                if !parts.is_empty() {
                    counts[1] += 1;
                    let _ = writeln!(text, "~ {}: {}", thing.name, parts.join(", "));
                }
            }
        }
    }
    for thing in before.iter().filter(|thing| !is.contains_key(thing.name.as_str())) {
        counts[2] += 1;
        let _ = writeln!(text, "- {}", thing.name);
    }
    let fixed: Vec<_> = serve::read_once(&old.server, &new.server).collect();
    if !fixed.is_empty() {
        let _ = writeln!(text, "from the next start on: {}", fixed.join(", "));
    }
    if counts == [0; 3] {
        return "nothing would change".into();
    }
    let [added, others, removed] = counts;
    let _ = write!(text, "{added} added, {others} changed, {removed} removed");
    text
}

/// The parts that say something else.
fn changed<'t>(old: &Thing, new: &'t Thing) -> Vec<&'t str> {
    if old.parts.len() != new.parts.len() {
        return vec!["it is of another kind"];
    }
    let pairs = old.parts.iter().zip(&new.parts);
    pairs.filter(|(old, new)| old != new).map(|(_, (name, _))| *name).collect()
}
