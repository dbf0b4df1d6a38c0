//! Floor 9. The environment of this process, for `${…}` in bridge files.

use std::{fs::File, io::Read, path::Path};

use crate::yaml::Variables;

/// Bytes of a file that `${file:…}` names, at most.
const FILE_MAX: u64 = 64 << 10;

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
        let about = std::fs::metadata(folder.join(path)).map_err(|error| error.to_string())?;
        if !about.is_file() {
            return Err("it is not a file".into());
        }
        let file = File::open(folder.join(path)).map_err(|error| error.to_string())?;
        file.take(FILE_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
        if text.len() as u64 > FILE_MAX { Err("it is larger than 64 KiB".into()) } else { Ok(text) }
    }
}
