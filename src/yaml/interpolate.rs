//! Floor 2. `${NAME}`, `${NAME:-default}` and `${file:path}` in parsed scalars: replaced once,
//! never over raw text, and what is put in is not looked at again.

use super::{Kind, Node, Scalar};
use crate::{
    diag::{Code, Diagnostic, Diagnostics},
    text::{FileSet, Span},
};

/// Where the values of variables come from. Given in by whoever may look at the environment.
pub trait Variables {
    /// The value of an environment variable; `None` when it is not set.
    fn variable(&self, name: &str) -> Option<String>;

    /// What stands for a variable that is not set and has no default; `None` makes it a fault.
    fn lacking(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// The content of a file, its path relative to `folder`.
    ///
    /// # Errors
    /// Why the file cannot be read, in a few words.
    fn file(&self, folder: &std::path::Path, path: &str) -> Result<String, String>;

    /// The content of a file that need not be text.
    ///
    /// # Errors
    /// Why the file cannot be read, in a few words.
    fn bytes(&self, folder: &std::path::Path, path: &str) -> Result<Vec<u8>, String> {
        self.file(folder, path).map(String::into_bytes)
    }

    /// Whether there is a file that can be read, however large it is.
    ///
    /// # Errors
    /// Why it cannot be read, in a few words.
    fn find(&self, folder: &std::path::Path, path: &str) -> Result<(), String> {
        self.bytes(folder, path).map(drop)
    }
}

/// Replaces every reference in the values below `node`. A value with a reference that cannot be
/// replaced becomes [`Kind::Faulty`].
pub fn interpolate(node: &mut Node, files: &FileSet, variables: &dyn Variables) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    walk(node, files, variables, &mut diagnostics);
    diagnostics
}

fn walk(node: &mut Node, files: &FileSet, variables: &dyn Variables, diagnostics: &mut Diagnostics) {
    let replaced = match &mut node.kind {
        Kind::List(items) => {
            return items.iter_mut().for_each(|item| walk(item, files, variables, diagnostics));
        }
        Kind::Map(entries) => {
            return entries.iter_mut().for_each(|entry| walk(&mut entry.value, files, variables, diagnostics));
        }
        Kind::Scalar(scalar) if scalar.text.contains("${") => {
            replace(scalar, Place { files, span: node.span }, variables, diagnostics)
        }
        Kind::Scalar(_) | Kind::Faulty => return,
    };
    match replaced {
        Some(scalar) => {
            let values = scalar.inserted.iter().filter_map(|part| scalar.text.get(part.clone()));
            diagnostics.conceal(node.span, values.map(str::to_owned));
            node.kind = Kind::Scalar(scalar);
        }
        None => node.kind = Kind::Faulty,
    }
}

#[derive(Clone, Copy)]
struct Place<'a> {
    files: &'a FileSet,
    span: Span,
}

/// The scalar with its references replaced; `None` after a fault.
fn replace(
    scalar: &Scalar,
    place: Place<'_>,
    variables: &dyn Variables,
    diagnostics: &mut Diagnostics,
) -> Option<Scalar> {
    let (mut text, mut inserted) = (String::with_capacity(scalar.text.len()), Vec::new());
    let mut fine = true;
    let mut at = 0;
    while let Some(start) = scalar.text.get(at..).and_then(|rest| rest.find("${")).map(|found| at + found) {
        if scalar.text.get(..start).is_some_and(|before| before.ends_with('$') && start > at) {
            // `$${` is how a literal `${` is written.
            text.push_str(scalar.text.get(at..start - 1).unwrap_or(""));
            text.push_str("${");
            at = start + 2;
            continue;
        }
        text.push_str(scalar.text.get(at..start).unwrap_or(""));
        let rest = scalar.text.get(start + 2..).unwrap_or("");
        let Some(length) = rest.find('}') else {
            let span = scalar.place(start..start + 2, place.span, place.files.slice(place.span));
            let fault = Diagnostic::error(Code::Variable, span, "`${` without a `}`");
            diagnostics.push(fault.help("write `$${` for a literal `${`"));
            return None;
        };
        let end = start + 2 + length + 1;
        let span = scalar.place(start..end, place.span, place.files.slice(place.span));
        match resolve(rest.get(..length).unwrap_or(""), span, place.files, variables) {
            Ok(value) => {
                inserted.push(text.len()..text.len() + value.len());
                text.push_str(&value);
            }
            Err(fault) => {
                diagnostics.push(*fault);
                fine = false;
            }
        }
        at = end;
    }
    text.push_str(scalar.text.get(at..).unwrap_or(""));
    fine.then_some(Scalar { text, style: scalar.style, inserted })
}

fn resolve(reference: &str, span: Span, files: &FileSet, variables: &dyn Variables) -> Result<String, Box<Diagnostic>> {
    if let Some(path) = reference.strip_prefix("file:") {
        let content = variables.file(files.folder(span.file), path).map_err(|reason| {
            let message = format!("the file `{path}` cannot be read: {reason}");
            Diagnostic::error(Code::VariableFile, span, message)
        })?;
        // A secret in a file usually ends in a line break that is not part of it.
        return Ok(content.trim_end_matches(['\n', '\r']).to_owned());
    }
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let starts = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
    if !starts || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        let message = format!("`${{{reference}}}` is not a variable");
        let fault = Diagnostic::error(Code::Variable, span, message);
        return Err(Box::new(
            fault.help("write `${NAME}`, `${NAME:-default}` or `${file:path}`; `$${` is a literal `${`"),
        ));
    }
    let value = variables.variable(name).filter(|value| !(value.is_empty() && default.is_some()));
    value.or_else(|| default.map(str::to_owned)).or_else(|| variables.lacking(name)).ok_or_else(|| {
        let fault = Diagnostic::error(Code::VariableUnset, span, format!("the variable `{name}` is not set"));
        Box::new(fault.help(format!("set it, or give a default: `${{{name}:-…}}`")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    struct Fixed;

    impl Variables for Fixed {
        fn variable(&self, name: &str) -> Option<String> {
            match name {
                "HOST" => Some("example.com".into()),
                "TRICK" => Some("${HOST}: {{x}}".into()),
                "EMPTY" => Some(String::new()),
                _ => None,
            }
        }

        fn file(&self, _: &std::path::Path, path: &str) -> Result<String, String> {
            if path == "key" { Ok("from file\n".into()) } else { Err("no such file".into()) }
        }
    }

    fn value_of(text: &str) -> Result<String, Code> {
        let mut files = FileSet::new();
        let file = files.add("x.yaml", format!("v: {text}\n"));
        let mut node = parse(&files, file).0.unwrap();
        let diagnostics = interpolate(&mut node, &files, &Fixed);
        match diagnostics.iter().next() {
            Some(diagnostic) => Err(diagnostic.code),
            None => Ok(node.entry("v").unwrap().value.scalar().unwrap().text.clone()),
        }
    }

    #[test]
    fn references_are_replaced_once() {
        for (text, value) in [
            ("https://${HOST}/v1", Ok("https://example.com/v1")),
            ("${NONE:-fallback}", Ok("fallback")),
            ("${EMPTY:-fallback}", Ok("fallback")),
            ("${NONE:-}", Ok("")),
            ("${TRICK}", Ok("${HOST}: {{x}}")),
            ("$${HOST}", Ok("${HOST}")),
            ("a$${HOST}b${HOST}", Ok("a${HOST}bexample.com")),
            ("${file:key}", Ok("from file")),
            ("${file:other}", Err(Code::VariableFile)),
            ("${NONE}", Err(Code::VariableUnset)),
            ("${a b}", Err(Code::Variable)),
            ("${HOST", Err(Code::Variable)),
        ] {
            assert_eq!(value_of(text), value.map(str::to_owned), "{text}");
        }
    }
}
