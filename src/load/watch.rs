//! Floor 5. Whether bridge files have changed, told by their names, sizes and times. Looked at
//! now and then: that works on every file system, also on mounted ones that announce nothing,
//! and however a file is replaced.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::discover;

/// What files looked like. Two that are equal most likely hold the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(Vec<(PathBuf, Option<Stamp>)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    changed: Option<SystemTime>,
    /// Which file it is: replacing one within the same tick of the clock changes this.
    number: u64,
}

impl Fingerprint {
    /// Whether these are the same files looking the same, and so many more behind them.
    #[must_use]
    pub fn extends(&self, other: &Self, by: usize) -> bool {
        self.0.len() == other.0.len() + by && self.0.starts_with(&other.0)
    }
}

/// Looks at the bridge files of the paths, and at others that they depend on. What cannot be
/// looked at counts as not there.
#[must_use]
pub fn fingerprint(paths: &[PathBuf], others: &[PathBuf]) -> Fingerprint {
    let found = discover::discover(paths).unwrap_or_default();
    let all = found.into_iter().chain(others.iter().cloned());
    Fingerprint(all.map(|path| (stamp(&path).ok(), path)).map(|(stamp, path)| (path, stamp)).collect())
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let about = fs::metadata(path)?;
    Ok(Stamp { length: about.len(), changed: about.modified().ok(), number: number(&about) })
}

#[cfg(unix)]
fn number(about: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(about)
}

#[cfg(not(unix))]
const fn number(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_come_change_and_go_make_a_difference() {
        let folder = tempfile::TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("one.yaml"), "bridge: one").unwrap();
        let paths = [folder.path().to_owned()];
        let look = || fingerprint(&paths, &[at("token")]);
        let first = look();
        assert_eq!(first, look());
        fs::write(at("notes.txt"), "no bridge").unwrap();
        assert_eq!(first, look());
        let fewer = fingerprint(&paths, &[]);
        assert!(first.extends(&fewer, 1) && !first.extends(&fewer, 0) && !fewer.extends(&first, 0));
        let mut last = first;
        for change in [
            &(|| fs::write(at("one.yaml"), "bridge: other").unwrap()) as &dyn Fn(),
            &|| fs::write(at("two.yaml"), "bridge: two").unwrap(),
            &|| fs::write(at("token"), "secret").unwrap(),
            &|| fs::remove_file(at("one.yaml")).unwrap(),
            // As editors and mounted settings do it: another file takes the name.
            &|| {
                fs::write(at("two.new"), "bridge: dos").unwrap();
                fs::rename(at("two.new"), at("two.yaml")).unwrap();
            },
            &|| fs::remove_file(at("two.yaml")).unwrap(),
        ] {
            change();
            let now = look();
            assert_ne!(now, last);
            last = now;
        }
    }
}
