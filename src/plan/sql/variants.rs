//! Floor 3. The finite set of texts a statement can have, for `check` to prepare each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::render::write;
use super::{Arguments, MAX_VARIANTS, Piece, Rendered, Statement};

/// The forms, most telling first: see [`Statement::variants`].
pub(super) fn forms(statement: &Statement, always: &dyn Fn(&str) -> bool) -> Vec<Rendered> {
    let mut switches = Switches::default();
    switches.collect(&statement.pieces);
    let presences = switches.presences();
    let selections = switches.selections();
    let mut forms = Vec::new();
    let mut seen = BTreeSet::new();
    let mut add = |present: &BTreeSet<&str>, choices: &BTreeMap<&str, &str>, list_len| {
        let trial = Trial { always, present, choices, list_len };
        if forms.len() < MAX_VARIANTS
            && let Ok(rendered) = write(statement, &trial)
            && seen.insert(Arc::clone(&rendered.sql))
        {
            forms.push(rendered);
        }
    };
    if let Some(selection) = selections.first() {
        for presence in &presences {
            add(presence, selection, 1);
        }
    }
    if let Some(presence) = presences.first() {
        for selection in &selections {
            add(presence, selection, 1);
        }
        if let Some(selection) = selections.first() {
            add(presence, selection, 0);
        }
    }
    for selection in &selections {
        for presence in &presences {
            add(presence, selection, 1);
        }
    }
    forms
}

struct Trial<'a> {
    always: &'a dyn Fn(&str) -> bool,
    present: &'a BTreeSet<&'a str>,
    choices: &'a BTreeMap<&'a str, &'a str>,
    list_len: usize,
}

impl Arguments for Trial<'_> {
    fn present(&self, param: &str) -> bool {
        (self.always)(param) || self.present.contains(param)
    }

    fn choice(&self, param: &str) -> Option<&str> {
        self.choices.get(param).copied()
    }

    fn list_len(&self, _param: &str) -> Option<usize> {
        Some(self.list_len)
    }
}

/// What makes the text of a statement differ between calls.
#[derive(Default)]
struct Switches<'a> {
    fragments: Vec<BTreeSet<&'a str>>,
    choices: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Switches<'a> {
    fn collect(&mut self, pieces: &'a [Piece]) {
        for piece in pieces {
            match piece {
                Piece::Text(_) | Piece::Bind(_) | Piece::Like(..) | Piece::List(..) => {}
                Piece::Choice(param, options) => {
                    let keys = options.iter().map(|option| option.key.as_str()).collect();
                    self.choices.insert(param, keys);
                }
                Piece::Fragment { pieces, needs } => {
                    self.fragments.push(needs.iter().map(AsRef::as_ref).collect());
                    self.collect(pieces);
                }
            }
        }
    }

    /// All params of fragments, none, and those of each fragment alone.
    fn presences(&self) -> Vec<BTreeSet<&'a str>> {
        let all = self.fragments.iter().flatten().copied().collect();
        let mut presences = vec![all, BTreeSet::new()];
        presences.extend(self.fragments.iter().take(MAX_VARIANTS).cloned());
        presences
    }

    /// The keys to try: each option at least once before combinations of options.
    fn selections(&self) -> Vec<BTreeMap<&'a str, &'a str>> {
        let base: BTreeMap<_, _> =
            self.choices.iter().filter_map(|(param, keys)| keys.first().map(|key| (*param, *key))).collect();
        let mut selections = vec![base];
        for round in [Round::Alone, Round::Combined] {
            for (param, keys) in &self.choices {
                let from = match round {
                    Round::Alone => selections.iter().take(1).cloned().collect(),
                    Round::Combined => selections.clone(),
                };
                for (selection, key) in from.iter().flat_map(|selection| keys.iter().map(move |key| (selection, key))) {
                    if selections.len() >= MAX_VARIANTS {
                        return selections;
                    }
                    let mut next = selection.clone();
                    next.insert(param, key);
                    if !selections.contains(&next) {
                        selections.push(next);
                    }
                }
            }
        }
        selections
    }
}

#[derive(Clone, Copy)]
enum Round {
    Alone,
    Combined,
}
