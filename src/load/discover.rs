//! Floor 5. Which files a path means: itself, or every bridge file below it, in byte order.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Unreadable;

/// Files of one server at most.
const FILES_MAX: usize = 1000;
/// How deep folders may lie in each other: a link to a folder above would never end.
const DEPTH_MAX: usize = 16;

/// The bridge files of the paths, each once.
pub(super) fn discover(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Unreadable> {
    let mut found = Vec::new();
    for path in paths {
        let about = fs::metadata(path).map_err(|reason| Unreadable::Path { path: path.clone(), reason })?;
        if about.is_dir() {
            walk(path, 0, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|path| seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
    if found.is_empty() {
        let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Unreadable::Nothing(names.join(", ")));
    }
    Ok(found)
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Unreadable> {
    if depth > DEPTH_MAX {
        return Ok(());
    }
    let unreadable = |reason| Unreadable::Path { path: folder.to_path_buf(), reason };
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    for path in entries {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if path.is_dir() {
            walk(&path, depth + 1, found)?;
        } else if path.extension().is_some_and(|it| it == "yaml" || it == "yml") {
            if found.len() >= FILES_MAX {
                return Err(Unreadable::TooMany(FILES_MAX));
            }
            found.push(path);
        }
    }
    Ok(())
}
