//! Floor 7. Facts that are kept of what was heard of last; older ones are forgotten.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;

/// Facts at most.
pub(super) const REMEMBERED: usize = 4096;

/// Facts about what was heard of last.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    /// Saves the lock while nothing was ever put in, as for most servers.
    used: AtomicBool,
    facts: Mutex<(HashMap<K, V>, VecDeque<K>)>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { used: AtomicBool::new(false), facts: Mutex::new((HashMap::new(), VecDeque::new())) }
    }
}

impl<K: Copy + Eq + Hash, V: Copy> Recent<K, V> {
    /// What is known of a key.
    pub(super) fn get(&self, key: K) -> Option<V> {
        if !self.used.load(Ordering::Acquire) {
            return None;
        }
        self.facts.lock().0.get(&key).copied()
    }

    /// Remembers a fact, and returns what was known before.
    pub(super) fn put(&self, key: K, value: V) -> Option<V> {
        let mut facts = self.facts.lock();
        let (known, order) = &mut *facts;
        let before = known.insert(key, value);
        if before.is_none() {
            order.push_back(key);
            if order.len() > REMEMBERED {
                order.pop_front().map(|oldest| known.remove(&oldest));
            }
        }
        drop(facts);
        self.used.store(true, Ordering::Release);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_facts_are_forgotten() {
        let facts = Recent::<usize, char>::default();
        assert_eq!(facts.get(0), None);
        assert_eq!((facts.put(0, 'a'), facts.put(0, 'b'), facts.get(0)), (None, Some('a'), Some('b')));
        for key in 1..=REMEMBERED {
            facts.put(key, 'c');
        }
        assert_eq!((facts.get(0), facts.get(1)), (None, Some('c')));
        assert_eq!(facts.facts.lock().0.len(), REMEMBERED);
    }
}
