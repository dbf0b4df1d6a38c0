//! The project's own text, as `floors` and `tidy` read it: the files that would be committed,
//! Rust code without its comments and strings, and the paths that code names.

use std::{fs, path::Path, sync::LazyLock};

/// Every file of the project, in the order of the paths.
pub(crate) static FILES: LazyLock<Vec<File>> = LazyLock::new(read);

/// A file of the project. What `.gitignore` names is none.
pub(crate) struct File {
    /// From the project's folder on, with `/` between the names.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) bytes: Vec<u8>,
}

impl File {
    /// A file that is not on the disk, to try a check on.
    pub(crate) fn sample(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    /// The text; empty where the file holds none.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// The lines of the text, counted from one.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text().split('\n').enumerate().map(|(at, line)| (at + 1, line))
    }

    /// Whether the name ends in one of these, without the dot.
    pub(crate) fn ends_in(&self, extensions: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
    }

    /// The path below `src` of a Rust file that stands there.
    pub(crate) fn in_src(&self) -> Option<&str> {
        self.path.strip_prefix("src/").filter(|_| self.ends_in(&["rs"]))
    }
}

fn read() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
    let (mut files, mut folders) = (Vec::new(), vec![String::new()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().unwrap();
            if is_ignored(&path, &ignored) {
                continue;
            }
            if kind.is_dir() {
                folders.push(format!("{path}/"));
            } else if kind.is_file() {
                files.push(File { bytes: fs::read(entry.path()).unwrap(), path });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

/// Reads the three forms of rule that the project's `.gitignore` has: `/path`, `name`, `*end`.
fn is_ignored(path: &str, rules: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let rules = rules.lines().map(|rule| rule.trim_end_matches('/')).filter(|rule| !rule.is_empty());
    name == ".git"
        || rules.into_iter().any(|rule| match (rule.strip_prefix('/'), rule.strip_prefix('*')) {
            (Some(whole), _) => path == whole,
            (None, Some(end)) => name.ends_with(end),
            (None, None) => name == rule,
        })
}

/// What [`strip`] leaves standing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The code alone.
    Code,
    /// The code and what stands in its strings.
    CodeAndStrings,
}

enum Piece {
    Code,
    Quoted,
    Comment,
}

/// Puts blanks where comments, and unless they are kept strings and characters, stood.
/// Every line keeps its number.
pub(crate) fn strip(text: &str, keep: Keep) -> String {
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, length) = next_piece(rest);
        let (taken, behind) = rest.split_at(length);
        match piece {
            Piece::Quoted if keep == Keep::CodeAndStrings => left.push_str(taken),
            Piece::Code => left.push_str(taken),
            Piece::Quoted | Piece::Comment => {
                left.extend(taken.chars().map(|char| if char == '\n' { '\n' } else { ' ' }));
            }
        }
        rest = behind;
    }
    left
}

/// The kind and the length in bytes of what comes next. The text is not empty.
fn next_piece(rest: &str) -> (Piece, usize) {
    let until = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return (Piece::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Piece::Comment, block_comment(rest));
    }
    if rest.starts_with('"') {
        return (Piece::Quoted, quoted(rest, '"'));
    }
    if rest.starts_with('\'') {
        let mut behind = rest.chars().skip(1);
        return match (behind.next(), behind.next()) {
            (Some('\\'), _) | (Some(_), Some('\'')) => (Piece::Quoted, quoted(rest, '\'')),
            _ => (Piece::Code, 1),
        };
    }
    let name = rest.find(|char| !in_name(char)).unwrap_or(rest.len());
    if ["r", "br", "cr"].contains(&&rest[..name]) {
        let hashes = rest[name..].len() - rest[name..].trim_start_matches('#').len();
        if rest[name + hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return (Piece::Quoted, until(&end, name + hashes + 1));
        }
    }
    (Piece::Code, name.max(rest.chars().next().map_or(0, char::len_utf8)))
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let (change, length) = match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (1, 2),
            [b'*', b'/', ..] => (-1, 2),
            _ => (0, 1),
        };
        at += length;
        depth = depth.saturating_add_signed(change);
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        if char == '\\' {
            chars.next();
        } else if char == quote {
            return at + 1;
        }
    }
    rest.len()
}

fn in_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// A path that code names, with the groups of `use` taken apart. A lone word is one too.
pub(crate) struct Named<'a> {
    pub(crate) line: usize,
    pub(crate) segments: Vec<&'a str>,
    /// Whether `use` stands directly before it.
    pub(crate) imported: bool,
    /// How many `mod … { }` of this file it stands in.
    pub(crate) depth: usize,
}

impl Named<'_> {
    /// Whether these segments stand in the path, one behind the other.
    pub(crate) fn has(&self, segments: &[&str]) -> bool {
        self.segments.windows(segments.len()).any(|window| window == segments)
    }
}

struct Token<'a> {
    line: usize,
    text: &'a str,
}

/// The paths in code that [`strip`] has been through.
pub(crate) fn paths(code: &str) -> Vec<Named<'_>> {
    let tokens = tokens(code);
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let (mut named, mut modules, mut braces, mut at) = (Vec::new(), Vec::new(), 0_usize, 0);
    while at < tokens.len() {
        match word(at) {
            "mod" if word(at + 2) == "{" => modules.push(braces),
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                modules.pop_if(|opened| *opened == braces);
            }
            text if is_name(text) => {
                let from = named.len();
                let imported = at > 0 && word(at - 1) == "use";
                at = tree(&tokens, at, &[], &mut named);
                for path in named.iter_mut().skip(from) {
                    (path.imported, path.depth) = (imported, modules.len());
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    named
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for (at, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match rest.find(|char| !in_name(char)) {
                Some(0) if rest.starts_with("::") => 2,
                Some(0) => first.len_utf8(),
                Some(length) => length,
                None => rest.len(),
            };
            let (text, behind) = rest.split_at(length);
            tokens.push(Token { line: at + 1, text });
            rest = behind.trim_start();
        }
    }
    tokens
}

fn is_name(text: &str) -> bool {
    text.starts_with(|char: char| char.is_alphabetic() || char == '_')
}

/// Reads one path or one branch of a `use`, and returns where it ends.
fn tree<'a>(tokens: &[Token<'a>], from: usize, prefix: &[&'a str], named: &mut Vec<Named<'a>>) -> usize {
    let (mut segments, mut at) = (prefix.to_vec(), from);
    while let Some(token) = tokens.get(at) {
        if token.text == "{" {
            return group(tokens, at + 1, &segments, named);
        }
        if !is_name(token.text) {
            break;
        }
        segments.push(token.text);
        at += 1;
        if tokens.get(at).is_none_or(|token| token.text != "::") {
            break;
        }
        at += 1;
    }
    let line = tokens.get(from).map_or(0, |token| token.line);
    named.push(Named { line, segments, imported: false, depth: 0 });
    at
}

fn group<'a>(tokens: &[Token<'a>], from: usize, prefix: &[&'a str], named: &mut Vec<Named<'a>>) -> usize {
    let mut at = from;
    while let Some(token) = tokens.get(at) {
        at = match token.text {
            "}" => return at + 1,
            "as" => at + 2,
            text if is_name(text) => tree(tokens, at, prefix, named),
            _ => at + 1,
        };
    }
    at
}

#[test]
fn only_code_is_left_of_code() {
    for (text, code, with_strings) in [
        ("a // b\nc", "a     \nc", "a     \nc"),
        ("a /* /* b */ c */ d", "a                 d", "a                 d"),
        (r#"f("a\"b", 'c', b'\'')"#, "f(      ,    , b    )", r#"f("a\"b", 'c', b'\'')"#),
        ("r#\"a\"b\"# + r#type", "         + r#type", "r#\"a\"b\"# + r#type"),
        ("<'a>(x: &'a str, 'ü')", "<'a>(x: &'a str,    )", "<'a>(x: &'a str, 'ü')"),
        ("\"http://x\" y", "           y", "\"http://x\" y"),
    ] {
        assert_eq!(strip(text, Keep::Code), code, "{text}");
        assert_eq!(strip(text, Keep::CodeAndStrings), with_strings, "{text}");
    }
}

#[test]
fn groups_are_taken_apart() {
    for (code, expected) in [
        ("use crate::a::B;", vec!["1 use", "1 crate::a::B", "1"]),
        (
            "use crate::{\n a::{b, c::*},\n d as e,\n};",
            vec!["1 use", "2 crate::a::b", "2 crate::a::c", "3 crate::d", "1"],
        ),
        ("crate::a::f::<u8>(x)", vec!["1 crate::a::f", "1 u8", "1 x", "0"]),
        ("mod t { super::x() }", vec!["1 t", "1 super::x", "0"]),
    ] {
        let named = paths(code);
        let imported = named.iter().filter(|path| path.imported).count();
        let mut found: Vec<_> =
            named.iter().map(|path| format!("{} {}", path.line, path.segments.join("::"))).collect();
        found.push(imported.min(1).to_string());
        assert_eq!(found, expected, "{code}");
    }
    assert!(paths("mod t { super::x() } y").iter().map(|path| path.depth).eq([1, 1, 0]));
}

#[test]
fn gitignore_is_followed() {
    let rules = "/target\nnode_modules\n*.db\n";
    for (path, ignored) in [
        ("target", true),
        ("a/target", false),
        ("a/node_modules", true),
        ("a/b.db", true),
        ("a/b.dbx", false),
        (".git", true),
        (".gitignore", false),
    ] {
        assert_eq!(is_ignored(path, rules), ignored, "{path}");
    }
}
