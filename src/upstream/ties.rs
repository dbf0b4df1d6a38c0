//! Floor 5. What the connections to a database server depend on. Serves changed files: a source that
//! is the same in all of it keeps its connections.

use crate::{
    plan::{Engine, SqlSource},
    secret::{Secret, Vault},
};

/// All that makes one pool of connections other than another.
#[derive(Debug)]
pub(super) struct Ties {
    bridge: String,
    name: String,
    /// Without the id of the password, which stands for something else in every vault.
    source: SqlSource,
    password: Option<Secret<String>>,
}

impl Ties {
    /// `None` for a database in this process: to open it costs nothing, and its file may have been
    /// replaced.
    pub(super) fn of((bridge, name): (&str, &str), source: &SqlSource, vault: &Vault) -> Option<Self> {
        let mut source = source.clone();
        let id = match &mut source.engine {
            Engine::Sqlite { .. } => return None,
            Engine::Postgres(remote) | Engine::Mysql(remote) => remote.password.take(),
        };
        let password = id.and_then(|id| vault.get(id)).cloned();
        Some(Self { bridge: bridge.to_owned(), name: name.to_owned(), source, password })
    }

    /// Whether connections that were made for the other are as good as new ones.
    pub(super) fn hold(&self, other: &Self) -> bool {
        let Self { bridge, name, source, password } = self;
        let is_same_password = match (password, &other.password) {
            (None, None) => true,
            (Some(one), Some(two)) => one.matches(two.expose()),
            (None, Some(_)) | (Some(_), None) => false,
        };
        is_same_password && (bridge, name, source) == (&other.bridge, &other.name, &other.source)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::{Place, Pool, Powers, Prepared, Remote, Tls, TlsMode};

    fn source(change: impl FnOnce(&mut SqlSource, &mut Remote)) -> SqlSource {
        let mut remote = Remote {
            place: Place::Tcp("db".into(), 5432),
            user: "app".into(),
            password: None,
            database: "shop".into(),
            tls: Tls { mode: TlsMode::Verify, ca: None, identity: None },
            prepared: Prepared::Named,
            powers: Powers::Refused,
            session: Vec::new(),
        };
        let second = Duration::from_secs(1);
        let mut source = SqlSource {
            engine: Engine::Sqlite { path: "unused".into(), init: None },
            read_only: true,
            pool: Pool { max: 1, idle: second, acquire_timeout: second },
            statement_timeout: second,
            max_rows: 1,
        };
        change(&mut source, &mut remote);
        source.engine = Engine::Postgres(Box::new(remote));
        source
    }

    fn ties(source: &SqlSource, vault: &Vault) -> Ties {
        Ties::of(("shop", "db"), source, vault).expect("a server")
    }

    #[test]
    fn connections_are_kept_while_nothing_about_them_changes() {
        let vault = Vault::default();
        let before = ties(&source(|_, _| {}), &vault);
        assert!(before.hold(&ties(&source(|_, _| {}), &vault)));
        assert!(!before.hold(&Ties::of(("shop", "other"), &source(|_, _| {}), &vault).expect("a server")));
        let changes: [fn(&mut SqlSource, &mut Remote); 4] = [
            |source, _| source.read_only = false,
            |source, _| source.pool.max = 2,
            |_, remote| remote.user = "other".into(),
            |_, remote| remote.tls.ca = Some("ca.pem".into()),
        ];
        for (at, change) in changes.into_iter().enumerate() {
            assert!(!before.hold(&ties(&source(change), &vault)), "{at}");
        }
        let sqlite = SqlSource { engine: Engine::Sqlite { path: "a".into(), init: None }, ..source(|_, _| {}) };
        assert!(Ties::of(("shop", "db"), &sqlite, &vault).is_none());
    }

    #[test]
    fn passwords_count_and_their_ids_do_not() {
        let mut vault = Vault::default();
        let stored: Vec<_> = ["a", "b", "a"].map(|it| vault.store(Secret::new(it.to_owned()))).into();
        let with = |at: usize| ties(&source(|_, remote| remote.password = stored.get(at).copied()), &vault);
        assert!(with(0).hold(&with(2)));
        assert!(!with(0).hold(&with(1)));
        assert!(!with(0).hold(&with(9)));
    }
}
