//! Floor 9. The environment of this process, for `${…}` in bridge files.

use std::{fs::File, io::Read, path::Path};

use crate::yaml::Variables;

/// Bytes of a file that `${file:…}` names, at most.
const FILE_MAX: u64 = 64 << 10;
/// Bytes of a file that is sent as content, at most.
const CONTENT_MAX: u64 = 1 << 20;

/// What this process was started with.
#[derive(Debug)]
pub(super) struct Environment;

impl Variables for Environment {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, folder: &Path, path: &str) -> Result<String, String> {
        let mut text = String::new();
        let file = open(&folder.join(path))?;
        file.take(FILE_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
        if text.len() as u64 > FILE_MAX { Err("it is larger than 64 KiB".into()) } else { Ok(text) }
    }

    fn bytes(&self, folder: &Path, path: &str) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let file = open(&folder.join(path))?;
        file.take(CONTENT_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() as u64 > CONTENT_MAX { Err("it is larger than 1 MiB".into()) } else { Ok(bytes) }
    }

    fn find(&self, folder: &Path, path: &str) -> Result<(), String> {
        open(&folder.join(path)).map(drop)
    }
}

/// What tests run with: the defaults of the variables, so that they do the same everywhere, and
/// stand-ins for what has none, because no test needs a credential.
#[derive(Debug)]
pub(super) struct Rehearsal;

impl Variables for Rehearsal {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn lacking(&self, name: &str) -> Option<String> {
        Some(Environment.variable(name).unwrap_or_else(|| stand_in(name)))
    }

    fn file(&self, folder: &Path, path: &str) -> Result<String, String> {
        Environment.file(folder, path).or_else(|_| Ok(format!("test-{path}")))
    }

    fn bytes(&self, folder: &Path, path: &str) -> Result<Vec<u8>, String> {
        Environment.bytes(folder, path)
    }

    fn find(&self, folder: &Path, path: &str) -> Result<(), String> {
        Environment.find(folder, path)
    }
}

/// A value that fits where a variable of this name most likely stands.
fn stand_in(name: &str) -> String {
    let lower = name.to_lowercase();
    let has = |part: &str| lower.split('_').any(|word| word == part);
    if has("hash") {
        format!("sha256:{}", "0".repeat(64))
    } else if has("dsn") || has("database") || (has("url") && (has("db") || has("pg") || has("postgres"))) {
        "postgres://test:test@localhost/test".into()
    } else if has("url") || has("base") || has("endpoint") || has("issuer") {
        "https://test.example".into()
    } else {
        format!("test-{lower}")
    }
}

/// Opens what is a file: a pipe or a device could keep the start waiting for ever.
fn open(path: &Path) -> Result<File, String> {
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is not a file".into());
    }
    File::open(path).map_err(|error| error.to_string())
}
