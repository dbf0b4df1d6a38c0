//! Floor 4. The audit as a file of JSON lines, which is put aside when it has grown enough.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::audit::Ledger;

/// A file of lines, readable by its owner alone.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: File,
    size: u64,
    most: u64,
    keep: u32,
    /// Whether the last write broke off within a line.
    torn: bool,
}

impl Lines {
    /// Opens the file, or makes it. At `most` bytes it is put aside as `FILE.1`, and of those `keep`
    /// are kept.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path, most: u64, keep: u32) -> io::Result<Self> {
        let file = open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size, most, keep, torn: false })
    }

    /// Puts the file aside. What is no file, such as a pipe, stays where it is.
    fn turn(&mut self) -> io::Result<()> {
        if !self.file.metadata()?.is_file() {
            return Ok(());
        }
        let aside = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..self.keep).rev() {
            let from = aside(number);
            if from.exists() {
                fs::rename(from, aside(number + 1))?;
            }
        }
        if self.keep == 0 {
            fs::remove_file(&self.path)?;
        } else {
            fs::rename(&self.path, aside(1))?;
        }
        self.again()
    }

    /// How many entries go into the file with one write. One that fits into no file has a file of its own.
    fn fitting(&self, entries: &[String]) -> usize {
        let sizes = |start: u64| {
            entries.iter().scan(start, |size, entry| {
                *size = size.saturating_add(entry.len() as u64 + 1);
                Some(*size)
            })
        };
        let fitting = |start: u64| sizes(start).take_while(|size| *size <= self.most).count();
        match fitting(self.size) {
            0 => fitting(0).max(1),
            some => some,
        }
    }

    /// Adds entries with one write, in a new file where they do not fit into the one that is open.
    fn write(&mut self, entries: &[String]) -> io::Result<()> {
        let mut text = entries.join("\n");
        text.push('\n');
        if self.torn {
            text.insert(0, '\n');
        }
        // Somebody else may have put the file aside.
        if !self.path.exists() {
            self.again()?;
        }
        let bytes = text.len() as u64;
        if self.size > 0 && self.size.saturating_add(bytes) > self.most {
            self.turn()?;
        }
        let written = self.file.write_all(text.as_bytes());
        self.torn = written.is_err();
        if written.is_ok() {
            self.size = self.size.saturating_add(bytes);
        }
        written
    }

    fn again(&mut self) -> io::Result<()> {
        self.file = open(&self.path)?;
        self.size = self.file.metadata()?.len();
        Ok(())
    }
}

impl Ledger for Lines {
    fn append(&mut self, entries: &[String]) -> Result<(), String> {
        let mut left = entries;
        let mut written = Ok(());
        while written.is_ok() && !left.is_empty() {
            let (next, rest) = left.split_at(self.fitting(left));
            written = self.write(next);
            left = rest;
        }
        written.map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_has_grown_is_put_aside_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut lines = Lines::open(&path, 20, 2).unwrap();
        for entry in ["first-first", "second-second", "third-third", "fourth-fourth"] {
            lines.append(&[entry.to_owned()]).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).ok();
        assert_eq!(read("audit.jsonl").as_deref(), Some("fourth-fourth\n"));
        assert_eq!(read("audit.jsonl.1").as_deref(), Some("third-third\n"));
        assert_eq!(read("audit.jsonl.2").as_deref(), Some("second-second\n"));
        assert_eq!(read("audit.jsonl.3"), None);
        let together = ["fifth-fifth", "six", "7", "much-too-long-for-any-file", "end"].map(str::to_owned);
        lines.append(&together).unwrap();
        assert_eq!(read("audit.jsonl").as_deref(), Some("end\n"), "entries that come together are parted");
        assert_eq!(read("audit.jsonl.1").as_deref(), Some("much-too-long-for-any-file\n"));
        assert_eq!(read("audit.jsonl.2").as_deref(), Some("fifth-fifth\nsix\n7\n"));
        drop(lines);
        let mut lines = Lines::open(&path, 200, 2).unwrap();
        lines.append(&["fifth".to_owned()]).unwrap();
        assert_eq!(read("audit.jsonl").as_deref(), Some("end\nfifth\n"), "a start goes on in the file");
        fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        lines.append(&["sixth".to_owned()]).unwrap();
        assert_eq!(read("audit.jsonl").as_deref(), Some("sixth\n"), "who put it aside gets no more of it");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        Lines::open(&path, 20, 2).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told() {
        let mut full = Lines::open(Path::new("/dev/full"), 1, 1).unwrap();
        assert!(full.append(&["entry".to_owned()]).is_err());
        assert!(full.append(&["entry".to_owned()]).is_err(), "and there is nothing to put aside");
    }
}
