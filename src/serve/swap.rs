//! Floor 8. What a change of the files means for a running server: who may call and what is
//! served change at once, and what only a new start can change is said.

use std::{net::IpAddr, sync::Arc};

use super::{
    callers::Callers,
    guard::Guard,
    http::App,
    reload::{Outcome, Swap},
};
use crate::{
    access::Authenticator,
    authority::Authority,
    engine::Generation,
    plan::{Plan, Public, Server},
    secret::Vault,
};

impl Swap for App {
    fn accepts(&self, plan: &Plan) -> Result<(), String> {
        let open = !plan.server.keeps_strangers_out() && plan.server.public == Public::Guarded;
        if open && !is_local(self.address().ip()) {
            return Err(
                "nobody would have to identify themselves any more, and the server listens on an open address; \
                 stop it if that is meant"
                    .into(),
            );
        }
        Ok(())
    }

    fn current(&self) -> Arc<Generation> {
        self.protocol().generation()
    }

    fn swap(&self, generation: Generation, vault: &Vault) -> Result<(), String> {
        let server = &generation.plan().server;
        let authenticator =
            Authenticator::new(generation.plan(), vault, generation.state()).map_err(|error| error.to_string())?;
        let key = server.signing_key.and_then(|key| vault.get(key));
        let signs = (!self.protocol().signs_with(key)).then_some("signing_key");
        let fixed: Vec<_> = read_once(&self.protocol().generation().plan().server, server).chain(signs).collect();
        if !fixed.is_empty() {
            let keys = fixed.join(", ");
            tracing::warn!("these keys of `server:` count from the next start on: {keys}");
        }
        let authority = Authority::new(generation.plan(), vault, generation.state(), generation.audit())
            .map_err(|error| error.to_string())?;
        // Who may not call any more is kept out before there is anything new to call.
        self.let_in(
            Guard::new(server, self.address()),
            Callers::new(generation.plan(), authenticator, authority, generation.state()),
        );
        generation.record();
        self.protocol().replace(Arc::new(generation));
        Ok(())
    }

    fn settled(&self, outcome: Outcome) {
        self.note(outcome);
    }
}

fn is_local(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The keys of `server:` that are read at the start only, where they differ.
pub fn read_once<'k>(old: &Server, new: &Server) -> impl Iterator<Item = &'k str> {
    let differs = [
        ("listen", old.listen != new.listen),
        ("tls", old.tls != new.tls),
        ("reload", old.reload != new.reload),
        ("shutdown_grace", old.shutdown_grace != new.shutdown_grace),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key)
}
