//! Floor 5. What the engine lets a statement do, asked while it compiles it: the layer below the
//! read-only file. Reference: `auth.md` §4.6.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use rusqlite::{
    Connection,
    hooks::{AuthAction, AuthContext, Authorization},
};

use crate::plan::sql::Access;

/// On whose behalf a connection compiles statements. Clones stand for the same gate.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<AtomicU8>);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// This program, with statements of its own.
    Program,
    /// A bridge file's statement that reads.
    Reader,
    /// A bridge file's statement that may write.
    Writer,
}

impl From<Access> for Asker {
    fn from(access: Access) -> Self {
        match access {
            Access::Read => Self::Reader,
            Access::Write => Self::Writer,
        }
    }
}

/// Pragmas that only tell: table-valued ones about the schema, and the one by which an index of full texts
/// sees that it was changed.
const TELLING: [&str; 11] = [
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "database_list",
    "collation_list",
    "function_list",
    "data_version",
];

impl Gate {
    /// A gate before a connection. It lets everything pass at first.
    ///
    /// # Errors
    ///
    /// When the engine does not take it.
    pub(super) fn install(sqlite: &mut Connection) -> rusqlite::Result<Self> {
        let gate = Self(Arc::new(AtomicU8::new(Asker::Program as u8)));
        let asked = gate.clone();
        sqlite.authorizer(Some(move |context: AuthContext<'_>| asked.decide(context.action)))?;
        Ok(gate)
    }

    /// Says who asks from now on.
    pub(super) fn serve(&self, asker: Asker) {
        self.0.store(asker as u8, Ordering::Relaxed);
    }

    fn decide(&self, action: AuthAction<'_>) -> Authorization {
        let asker = self.0.load(Ordering::Relaxed);
        let access = match asker {
            _ if asker == Asker::Program as u8 => return Authorization::Allow,
            _ if asker == Asker::Writer as u8 => Access::Write,
            _ => Access::Read,
        };
        if is_permitted(action, access) { Authorization::Allow } else { Authorization::Deny }
    }
}

fn is_permitted(action: AuthAction<'_>, access: Access) -> bool {
    match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => !function_name.eq_ignore_ascii_case("load_extension"),
        AuthAction::Pragma { pragma_name, .. } => TELLING.iter().any(|name| name.eq_ignore_ascii_case(pragma_name)),
        // Other files, and the transaction that the call itself is, are nobody's business.
        AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. } => false,
        _ => access == Access::Write,
    }
}
