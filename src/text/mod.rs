//! Floor 0. The text people wrote: files with names, and where in them something stands.
//!
//! Source *text* is called **file** here, never "source": a source is a database or an API.

mod span;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use span::{Position, Span, Spanned};

/// One file of a [`FileSet`]. Valid only for the set that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

#[derive(Debug)]
struct File {
    name: String,
    folder: PathBuf,
    text: Arc<str>,
    /// Byte offset of the first character of every line.
    lines: Vec<u32>,
}

/// Every file that one run reads, in the order in which they were added.
#[derive(Debug, Default)]
pub struct FileSet {
    files: Vec<File>,
}

impl FileSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file. `name` is what diagnostics print, and its folder is what relative
    /// paths written in the file start from.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        let (name, text) = (name.into(), text.into());
        let folder = Path::new(&name).parent().map(Path::to_path_buf).unwrap_or_default();
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(at, _)| offset(at + 1))).collect();
        let id = FileId(offset(self.files.len()));
        self.files.push(File { name, folder, text, lines });
        id
    }

    /// The name under which the file was added.
    #[must_use]
    pub fn name(&self, file: FileId) -> &str {
        self.file(file).map_or("", |file| file.name.as_str())
    }

    /// The folder that relative paths in the file start from.
    #[must_use]
    pub fn folder(&self, file: FileId) -> &Path {
        self.file(file).map_or(Path::new(""), |file| file.folder.as_path())
    }

    /// The whole text of the file.
    #[must_use]
    pub fn text(&self, file: FileId) -> &str {
        self.file(file).map_or("", |file| &file.text)
    }

    /// The text a span covers; empty where the span lies outside of the file.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.range()).unwrap_or("")
    }

    /// Line and column of a span's first character.
    #[must_use]
    pub fn position(&self, span: Span) -> Position {
        self.position_at(span.file, span.start)
    }

    /// Line and column just behind a span's last character.
    #[must_use]
    pub fn end_position(&self, span: Span) -> Position {
        self.position_at(span.file, span.end)
    }

    /// The files in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = FileId> + '_ {
        (0..self.files.len()).map(|at| FileId(offset(at)))
    }

    fn position_at(&self, file: FileId, at: u32) -> Position {
        let Some(file) = self.file(file) else { return Position { line: 1, column: 1 } };
        let line = file.lines.partition_point(|start| *start <= at).saturating_sub(1);
        let start = file.lines.get(line).copied().unwrap_or(0);
        let before = file.text.get(start as usize..at as usize).unwrap_or("");
        Position { line: line + 1, column: before.chars().count() + 1 }
    }

    fn file(&self, id: FileId) -> Option<&File> {
        self.files.get(id.0 as usize)
    }
}

/// Files are limited to 4 MiB when they are read, so every offset fits.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let mut files = FileSet::new();
        let file = files.add("a/b.yaml", "one\nzwei: ü!\n");
        for (start, line, column) in [(0, 1, 1), (3, 1, 4), (4, 2, 1), (12, 2, 8), (13, 2, 9), (14, 3, 1)] {
            let position = files.position(Span::new(file, start, start));
            assert_eq!((position.line, position.column), (line, column), "offset {start}");
        }
        assert_eq!(files.folder(file), Path::new("a"));
        assert_eq!(files.slice(Span::new(file, 4, 8)), "zwei");
    }
}
