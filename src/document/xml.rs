//! Floor 2. XML as a JSON value. No definition in a document is followed: entities of its own stay
//! as they are written, and nothing is fetched.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};
use serde_json::{Map, Value};

use super::DocumentError;

/// How deep elements nest at most.
const MAX_DEPTH: usize = 128;

/// How XML is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XmlForm {
    /// Names of elements that are lists, also where only one of them is there.
    pub lists: Vec<String>,
}

/// Reads a document: a mapping from the name of its root to what that holds. An element is a
/// mapping of its attributes (`@name`), its elements and its text (`#text`), or its text alone
/// when it has nothing else. Elements of one name are a list in the place of the first.
///
/// # Errors
/// [`DocumentError`] with the byte where the document is not well formed or too deep.
pub fn xml(text: &str, form: &XmlForm) -> Result<Value, DocumentError> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.check_end_names = true;
    let mut open: Vec<Element> = vec![Element::default()];
    loop {
        let at = reader.buffer_position();
        let fault = |told: String| DocumentError(format!("byte {at}: {told}"));
        match reader.read_event().map_err(|error| fault(error.to_string()))? {
            Event::Start(start) => {
                if open.len() > MAX_DEPTH {
                    return Err(fault(format!("elements nest more than {MAX_DEPTH} deep")));
                }
                open.push(Element::new(&start).map_err(|error| fault(error.to_string()))?);
            }
            Event::End(_) => {
                let Some(element) = open.pop() else { break };
                let Some(parent) = open.last_mut() else { break };
                let name = element.name.clone();
                parent.add(&name, element.value(), form);
            }
            Event::Text(part) => open.last_mut().map(|it| it.text.push_str(&part.xml10_content())).unwrap_or_default(),
            Event::CData(part) => open.last_mut().map(|it| it.text.push_str(&part.xml10_content())).unwrap_or_default(),
            Event::GeneralRef(reference) => {
                let Some(element) = open.last_mut() else { break };
                match reference.resolve_char_ref() {
                    Ok(Some(character)) => element.text.push(character),
                    Ok(None) | Err(_) => element.text.push_str(&entity(&reference.xml10_content())),
                }
            }
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    match open.pop() {
        Some(root) if open.is_empty() && !root.members.is_empty() => Ok(Value::Object(root.members)),
        Some(_) if open.is_empty() => Err(DocumentError("there is no element".into())),
        Some(_) | None => Err(DocumentError("an element is never closed".into())),
    }
}

/// The five that every document has; any other stays as it is written.
fn entity(name: &str) -> String {
    match name {
        "amp" => "&".into(),
        "lt" => "<".into(),
        "gt" => ">".into(),
        "quot" => "\"".into(),
        "apos" => "'".into(),
        other => format!("&{other};"),
    }
}

#[derive(Default)]
struct Element {
    name: String,
    members: Map<String, Value>,
    text: String,
}

impl Element {
    fn new(start: &BytesStart<'_>) -> Result<Self, quick_xml::Error> {
        let mut members = Map::new();
        for attribute in start.attributes() {
            let attribute = attribute?;
            let name: &str = attribute.key.as_ref();
            if name == "xmlns" || name.starts_with("xmlns:") {
                continue;
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_or_else(|_| attribute.value.to_string(), Into::into);
            members.insert(format!("@{name}"), Value::String(value));
        }
        let name: &str = start.name().into_inner();
        Ok(Self { name: name.to_owned(), members, text: String::new() })
    }

    fn add(&mut self, name: &str, value: Value, form: &XmlForm) {
        match self.members.get_mut(name) {
            Some(Value::Array(items)) => items.push(value),
            Some(first) => {
                let first_value = std::mem::take(first);
                *first = Value::Array(vec![first_value, value]);
            }
            None => {
                let listed = form.lists.iter().any(|list| list == name);
                self.members.insert(name.to_owned(), if listed { Value::Array(vec![value]) } else { value });
            }
        }
    }

    fn value(mut self) -> Value {
        // White space between elements is layout.
        let text = self.text.trim();
        if self.members.is_empty() {
            return Value::String(text.to_owned());
        }
        if !text.is_empty() {
            self.members.insert("#text".into(), Value::String(text.to_owned()));
        }
        Value::Object(self.members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Value, DocumentError> {
        xml(text, &XmlForm { lists: vec!["item".into()] })
    }

    #[test]
    fn elements_become_mappings_lists_and_texts() {
        for (text, expected) in [
            ("<a/>", json!({ "a": "" })),
            ("<a>x &amp; y &#65;&#x42; <![CDATA[<z>]]></a>", json!({ "a": "x & y AB <z>" })),
            ("<a b=\"1 &lt; 2\" c='&quot;'>t</a>", json!({ "a": { "@b": "1 < 2", "@c": "\"", "#text": "t" } })),
            ("<a><b>1</b><c/><b>2</b></a>", json!({ "a": { "b": ["1", "2"], "c": "" } })),
            ("<r><item>1</item></r>", json!({ "r": { "item": ["1"] } })),
            ("<r>\n  <b> x </b>\n</r>", json!({ "r": { "b": "x" } })),
            (
                "<?xml version=\"1.0\"?><!-- c --><x:a xmlns:x=\"u\"><x:b>1</x:b></x:a>",
                json!({ "x:a": { "x:b": "1" } }),
            ),
            ("<a>&nbsp;&custom;</a>", json!({ "a": "&nbsp;&custom;" })),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn no_definition_is_followed_and_every_fault_has_a_place() {
        let bomb = "<!DOCTYPE a [<!ENTITY x \"0123456789\"><!ENTITY y \"&x;&x;\"><!ENTITY f SYSTEM \"file:///etc/passwd\">]><a>&y;&f;</a>";
        assert_eq!(read(bomb), Ok(json!({ "a": "&y;&f;" })));
        for text in ["", "plain", "<a>", "<a></b>", "<a b=1>", "<a", "{\"a\":1}", &"<a>".repeat(200)] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
