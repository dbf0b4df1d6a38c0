//! Floor 2. Where the fields of an item stand: a tree of names and positions, along which one pass
//! over the item notes the places of all of them.

use std::{borrow::Cow, ops::Range};

use super::{
    super::scan::{Names, Scanner, differ},
    Step,
};

/// Names below one place that are told apart in one number.
const MOST: usize = 64;

/// Where fields stand below one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Node {
    /// The fields that are the value at this place.
    slots: Vec<usize>,
    below: Below,
}

/// What fields stand below a place.
#[derive(Clone, Debug, Default, PartialEq)]
enum Below {
    #[default]
    Nothing,
    Members(Vec<(String, Node)>),
    Items(Vec<(usize, Node)>),
    Every(Box<Node>),
}

/// The places of values: of each field all that were found.
pub(super) type Found = [Vec<Range<usize>>];

impl Node {
    /// Puts a field where its steps lead. `None` when one value would be looked into in two ways.
    pub(super) fn place(&mut self, steps: &[Step], slot: usize) -> Option<()> {
        let Some((step, rest)) = steps.split_first() else {
            self.slots.push(slot);
            return Some(());
        };
        if self.below == Below::Nothing {
            self.below = match step {
                Step::Name(_) => Below::Members(Vec::new()),
                Step::Index(_) => Below::Items(Vec::new()),
                Step::Every => Below::Every(Box::default()),
                Step::Names(_) => return None,
            };
        }
        match (&mut self.below, step) {
            (Below::Members(all), Step::Name(name)) => below(all, name.clone(), rest, slot),
            (Below::Items(all), Step::Index(index)) => below(all, *index, rest, slot),
            (Below::Every(node), Step::Every) => node.place(rest, slot),
            _ => None,
        }
    }

    /// Whether no place has more names below it than are told apart.
    pub(super) fn is_narrow(&self) -> bool {
        match &self.below {
            Below::Nothing => true,
            Below::Members(all) => all.len() <= MOST && all.iter().all(|(_, node)| node.is_narrow()),
            Below::Items(all) => all.iter().all(|(_, node)| node.is_narrow()),
            Below::Every(node) => node.is_narrow(),
        }
    }

    /// Goes through a value and notes the fields in it.
    pub(super) fn fill(&self, reader: &mut Scanner<'_>, found: &mut Found) -> Option<()> {
        let first = reader.peek()?;
        let start = reader.at();
        match (&self.below, first) {
            (Below::Members(all), b'{') => members(all, reader, found)?,
            (Below::Items(all), b'[') => {
                reader.items(|inner, number| match all.iter().find(|(index, _)| *index == number) {
                    Some((_, node)) => node.fill(inner, found),
                    None => inner.skip(),
                })?;
            }
            (Below::Every(node), b'[') => reader.items(|inner, _| node.fill(inner, found))?,
            (Below::Every(node), b'{') => {
                let mut own: Names<'_> = Vec::new();
                reader.members(|inner, name| {
                    own.push(name.name()?);
                    node.fill(inner, found)
                })?;
                if !differ(&mut own, 0) {
                    return None;
                }
            }
            _ => reader.skip()?,
        }
        for slot in &self.slots {
            found.get_mut(*slot)?.push(start..reader.at());
        }
        Some(())
    }
}

fn members(all: &[(String, Node)], reader: &mut Scanner<'_>, found: &mut Found) -> Option<()> {
    let mut met = 0_u64;
    reader.members(|inner, name| {
        let name: Cow<'_, [u8]> = name.name()?;
        let Some(place) = all.iter().position(|(wanted, _)| wanted.as_bytes() == &*name) else {
            return inner.skip();
        };
        let bit = 1 << place;
        // Of two with one name the last counts, which the tree knows.
        if met & bit != 0 {
            return None;
        }
        met |= bit;
        all.get(place)?.1.fill(inner, found)
    })
}

fn below<K: PartialEq>(all: &mut Vec<(K, Node)>, key: K, steps: &[Step], slot: usize) -> Option<()> {
    let known = all.iter().position(|(known, _)| *known == key);
    let place = known.unwrap_or_else(|| {
        all.push((key, Node::default()));
        all.len() - 1
    });
    all.get_mut(place)?.1.place(steps, slot)
}
