//! Floor 5. The audit in the database of the state: entries are added, and neither changed nor removed.

use rusqlite::{TransactionBehavior, params};

use super::Local;
use crate::telemetry::Ledger;

/// Each entry is one JSON text. Old ones are the operator's to move away, with the triggers dropped.
pub(super) const TABLES: &str = "
CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL) STRICT;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'entries stay as they are'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'entries are kept'); END;
";

/// The part of the state that keeps entries.
#[derive(Debug)]
pub struct Entries(Local);

impl Local {
    /// The part that keeps entries of the audit.
    pub(super) const fn ledger(self) -> Entries {
        Entries(self)
    }
}

impl Ledger for Entries {
    fn append(&mut self, entries: &[String]) -> Result<(), String> {
        let mut writer = self.0.writer.lock();
        let mut add = || {
            let change = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for entry in entries {
                change.prepare_cached("INSERT INTO audit (entry) VALUES (?1)")?.execute(params![entry])?;
            }
            change.commit()
        };
        add().map_err(|error: rusqlite::Error| error.to_string())
    }
}
