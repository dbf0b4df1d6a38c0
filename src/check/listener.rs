//! Floor 4. What the server needs files for: its certificate, and the record of who did what.

use super::{context::Context, credentials};
use crate::{
    bridge::{Audit as WrittenAudit, AuditArguments as WrittenArguments, ServerTls as WrittenTls},
    diag::{Code, Diagnostic},
    plan::{Audit, AuditArguments, AuditPlace, ListenerTls},
    yaml::Pointer,
};

/// How large the file becomes, and how many are kept, when nobody says.
const MOST: u64 = 64 << 20;
const KEEP: u32 = 5;
/// A smaller file would be put aside all the time.
const LEAST: u64 = 64 << 10;

/// Builds the certificate of the listener. Whether its parts fit is known when the server reads them.
pub(super) fn tls(written: &WrittenTls, at: &Pointer, context: &mut Context<'_>) -> Option<ListenerTls> {
    let cert = credentials::pem(&written.cert, "CERTIFICATE", &at.at("cert"), context);
    let key = credentials::pem(&written.key, "PRIVATE KEY", &at.at("key"), context);
    let client_ca =
        written.client_ca.as_ref().map(|path| credentials::pem(path, "CERTIFICATE", &at.at("client_ca"), context));
    if cert.is_none() || key.is_none() || client_ca == Some(None) {
        return None;
    }
    let path = |text: &str| context.folder().join(text);
    let client_ca = written.client_ca.as_deref().map(path);
    Some(ListenerTls { cert: path(&written.cert), key: path(&written.key), client_ca })
}

/// Builds the place of the audit.
pub(super) fn audit(written: &WrittenAudit, at: &Pointer, context: &mut Context<'_>) -> Option<Audit> {
    let arguments = match written.args {
        None | Some(WrittenArguments::Digest) => AuditArguments::Digest,
        Some(WrittenArguments::Plain) => AuditArguments::Plain,
    };
    let place = match (&written.file, written.state) {
        (Some(file), _) => {
            if file.trim().is_empty() {
                let fault = Diagnostic::error(Code::Audit, context.value(&at.at("file")), "the file has no name");
                context.push(fault.help("name one: `file: audit.jsonl`"));
            }
            let most = written.max_size.map_or(MOST, |size| size.0 as u64);
            if most < LEAST {
                context.fault(
                    Code::Audit,
                    &at.at("max_size"),
                    "the file would be put aside all the time: 64KiB at least",
                );
            }
            AuditPlace::File { path: context.folder().join(file), most, keep: written.keep.unwrap_or(KEEP) }
        }
        (None, Some(true)) => {
            for key in ["max_size", "keep"] {
                if !context.has(&at.at(key)) {
                    continue;
                }
                let span = context.key(&at.at(key));
                context.push(Diagnostic::error(
                    Code::Audit,
                    span,
                    format!("`{key}` is about a file, and there is none"),
                ));
            }
            AuditPlace::State
        }
        (None, Some(false)) => {
            let fault =
                Diagnostic::error(Code::Audit, context.value(&at.at("state")), "then nothing would be recorded");
            context.push(fault.help("name a file, `file: audit.jsonl`, or leave `audit` out"));
            return None;
        }
        (None, None) => return None,
    };
    Some(Audit { place, arguments })
}
