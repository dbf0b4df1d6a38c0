//! Floor 5. Files in: paths become a set of texts, in one order on every machine.

mod discover;
mod watch;

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::{
    diag::{Code, Diagnostic, Diagnostics},
    text::FileSet,
};

pub use watch::{Fingerprint, fingerprint};

/// Bytes of a bridge file at most.
const FILE_MAX: usize = 4 << 20;

/// Why nothing could be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A path that cannot be read.
    #[error("{}: {reason}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// Paths without a single bridge file.
    #[error("no bridge file (*.yaml, *.yml) in {0}")]
    Nothing(String),
    /// More files than one server loads.
    #[error("more than {0} bridge files")]
    TooMany(usize),
}

/// Reads every bridge file of the paths. A file that is not text is a diagnostic: the others
/// are still checked.
///
/// # Errors
/// When a path cannot be read, or there is nothing to read.
pub fn load(paths: &[PathBuf]) -> Result<(FileSet, Diagnostics), Unreadable> {
    let found = discover::discover(paths)?;
    let mut files = FileSet::new();
    let mut diagnostics = Diagnostics::new();
    for path in found {
        let name = path.display().to_string();
        match read(&path).map_err(|reason| Unreadable::Path { path: path.clone(), reason })? {
            Content::Text(text) => {
                files.add(name, text);
            }
            Content::TooLarge => {
                let message = format!("{name}: a bridge file has at most {} MiB", FILE_MAX >> 20);
                diagnostics.push(Diagnostic::unplaced(Code::FileTooLarge, message));
            }
            Content::NotUtf8(line) => {
                let message = format!("{name}: line {line} is not UTF-8");
                diagnostics.push(Diagnostic::unplaced(Code::NotUtf8, message).help("save the file as UTF-8"));
            }
        }
    }
    Ok((files, diagnostics))
}

enum Content {
    Text(String),
    TooLarge,
    NotUtf8(usize),
}

fn read(path: &Path) -> io::Result<Content> {
    // Opening a pipe would wait for whoever writes into it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > FILE_MAX {
        return Ok(Content::TooLarge);
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Content::Text(text),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let before = error.as_bytes().get(..valid).unwrap_or_default();
            Content::NotUtf8(before.split(|byte| *byte == b'\n').count())
        }
    })
}
