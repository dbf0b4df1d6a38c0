//! Floor 2. The typed tree: a JSON value whose texts may name variables. `check` compiles it, the
//! engine fills it in to make queries, headers and bodies.

use serde_json::{Map, Value};

use super::{Escape, Lookup, RenderError, Scope, TemplateError, Text, Variable, lookup};

/// How deep a tree may nest.
const MAX_DEPTH: usize = 64;

/// A compiled value. Values are put in once and never read as templates again.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// The same for every call.
    Literal(Value),
    /// A text that is exactly `{{name}}`: the value itself, with its JSON type.
    Exact(Variable),
    /// Any other text with tags in it.
    Text(Text),
    /// A list; an absent item is left out.
    List(Vec<Self>),
    /// An object in the author's order; the key of an absent value is left out.
    Map(Vec<(String, Self)>),
}

impl Tree {
    /// Compiles a JSON value whose texts may hold `{{…}}`.
    ///
    /// # Errors
    /// All faults at once, each with the JSON pointer of its text and the range inside it.
    pub fn compile(value: &Value) -> Result<Self, Vec<(String, TemplateError)>> {
        let mut faults = Vec::new();
        let tree = compile(value, &mut Place { pointer: String::new(), depth: 0 }, &mut faults);
        if faults.is_empty() { Ok(tree) } else { Err(faults) }
    }

    /// Every top-level variable of the tree with the JSON pointer of the text that names it.
    pub fn variables(&self) -> impl Iterator<Item = (String, &Variable)> {
        let mut found = Vec::new();
        self.collect(String::new(), &mut found);
        found.into_iter()
    }

    fn collect<'t>(&'t self, pointer: String, found: &mut Vec<(String, &'t Variable)>) {
        match self {
            Self::Literal(_) => {}
            Self::Exact(variable) => found.push((pointer, variable)),
            Self::Text(text) => {
                found.extend(text.variables().iter().map(|variable| (pointer.clone(), variable)));
            }
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.collect(format!("{pointer}/{index}"), found);
                }
            }
            Self::Map(entries) => {
                for (key, entry) in entries {
                    entry.collect(format!("{pointer}/{}", escaped(key)), found);
                }
            }
        }
    }

    /// Whether the tree is the same for every call.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    /// Fills in the values of one call. `None` when the whole tree is an absent value.
    ///
    /// # Errors
    /// [`RenderError`] of a text in the tree.
    pub fn resolve(&self, scope: &dyn Scope) -> Result<Option<Value>, RenderError> {
        match self {
            Self::Literal(value) => Ok(Some(value.clone())),
            Self::Exact(variable) => Ok(match lookup(scope, &variable.path) {
                Lookup::Found(value) => Some(value.into_owned()),
                Lookup::Absent | Lookup::Missing => None,
            }),
            Self::Text(text) => Ok(Some(Value::String(text.render(scope)?))),
            Self::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.extend(item.resolve(scope)?);
                }
                Ok(Some(Value::Array(list)))
            }
            Self::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, entry) in entries {
                    if let Some(value) = entry.resolve(scope)? {
                        map.insert(key.clone(), value);
                    }
                }
                Ok(Some(Value::Object(map)))
            }
        }
    }
}

struct Place {
    pointer: String,
    depth: usize,
}

impl Place {
    /// Does something one level further in.
    fn inside<T>(&mut self, key: &str, act: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&escaped(key));
        self.depth += 1;
        let done = act(self);
        self.depth -= 1;
        self.pointer.truncate(length);
        done
    }
}

type Faults = Vec<(String, TemplateError)>;

fn compile(value: &Value, place: &mut Place, faults: &mut Faults) -> Tree {
    if place.depth > MAX_DEPTH {
        let message = format!("a value nests at most {MAX_DEPTH} deep");
        faults.push((place.pointer.clone(), TemplateError::new(0..0, message)));
        return Tree::Literal(Value::Null);
    }
    match value {
        Value::String(text) if text.contains("{{") => leaf(text, place, faults),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Tree::Literal(value.clone()),
        Value::Array(list) => {
            let items: Vec<Tree> = list
                .iter()
                .enumerate()
                .map(|(index, item)| place.inside(&index.to_string(), |place| compile(item, place, faults)))
                .collect();
            if items.iter().all(Tree::is_constant) { Tree::Literal(value.clone()) } else { Tree::List(items) }
        }
        Value::Object(map) => {
            let entries: Vec<(String, Tree)> = map
                .iter()
                .map(|(key, entry)| {
                    let tree = place.inside(key, |place| {
                        refuse_tags_in_key(key, place, faults);
                        compile(entry, place, faults)
                    });
                    (key.clone(), tree)
                })
                .collect();
            if entries.iter().all(|(_, tree)| tree.is_constant()) {
                Tree::Literal(value.clone())
            } else {
                Tree::Map(entries)
            }
        }
    }
}

fn leaf(text: &str, place: &Place, faults: &mut Faults) -> Tree {
    match Text::compile(text, Escape::None) {
        Ok(text) => match text.variables().first() {
            Some(variable) if text.as_exact().is_some() => Tree::Exact(variable.clone()),
            _ => Tree::Text(text),
        },
        Err(fault) => {
            faults.push((place.pointer.clone(), fault));
            Tree::Literal(Value::Null)
        }
    }
}

fn refuse_tags_in_key(key: &str, place: &Place, faults: &mut Faults) {
    if key.contains("{{") {
        let message = "a key is a fixed name: only values may hold `{{…}}`";
        faults.push((place.pointer.clone(), TemplateError::new(0..key.len(), message)));
    }
}

/// A key as a step of a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope() -> Map<String, Value> {
        let data = json!({
            "n": 5, "s": "x{{n}}y", "list": [1, null], "nil": null, "flag": false,
            "o": {"p": {"q": [10, 20]}}, "date": "2024-01-02"
        });
        let Value::Object(map) = data else { unreachable!() };
        map
    }

    #[test]
    fn values_keep_their_types_and_absent_ones_are_dropped() {
        for (source, expected) in [
            (json!("{{n}}"), Some(json!(5))),
            (json!("{{ n }}"), Some(json!(5))),
            (json!("{{list}}"), Some(json!([1, null]))),
            (json!("{{nil}}"), Some(json!(null))),
            (json!("{{flag}}"), Some(json!(false))),
            (json!("{{o.p.q.[1]}}"), Some(json!(20))),
            (json!("{{o.p.q.1}}"), Some(json!(20))),
            (json!("{{date}}"), Some(json!("2024-01-02"))),
            (json!("{{nothing}}"), None),
            (json!("{{nothing.at.all}}"), None),
            (json!("{{o.p.z}}"), None),
            (json!("{{s}}"), Some(json!("x{{n}}y"))),
            (json!("n={{n}}"), Some(json!("n=5"))),
            (json!(" {{n}}"), Some(json!(" 5"))),
            (json!("{{n}}{{n}}"), Some(json!("55"))),
            (json!("[{{nothing}}]"), Some(json!("[]"))),
            (json!("\\{{n}}"), Some(json!("{{n}}"))),
            (json!("plain } text"), Some(json!("plain } text"))),
            (json!(7.5), Some(json!(7.5))),
            (json!(["{{n}}", "{{nothing}}", 1]), Some(json!([5, 1]))),
            (json!({"a": "{{n}}", "b": "{{nothing}}", "c": "{{nil}}"}), Some(json!({"a": 5, "c": null}))),
            (json!({"a": {"b": "{{nothing}}"}}), Some(json!({"a": {}}))),
            (json!({"z": 1, "a": [true, {"k": "v"}]}), Some(json!({"z": 1, "a": [true, {"k": "v"}]}))),
        ] {
            let tree = Tree::compile(&source).unwrap();
            assert_eq!(tree.resolve(&scope()).unwrap(), expected, "{source}");
        }
    }

    #[test]
    fn a_tree_without_tags_is_one_literal() {
        assert!(Tree::compile(&json!({"a": [1, {"b": "c"}]})).unwrap().is_constant());
        assert!(!Tree::compile(&json!({"a": [1, {"b": "{{c}}"}]})).unwrap().is_constant());
    }

    #[test]
    fn variables_come_with_the_place_of_their_text() {
        let tree = Tree::compile(&json!({"a/b": ["x", "{{n.m}}"], "t": "{{p}} and {{q}}"})).unwrap();
        let found: Vec<(String, String, std::ops::Range<usize>)> = tree
            .variables()
            .map(|(pointer, variable)| (pointer, variable.path.join("."), variable.range.clone()))
            .collect();
        assert_eq!(
            found,
            [
                ("/a~1b/1".to_owned(), "n.m".to_owned(), 2..5),
                ("/t".to_owned(), "p".to_owned(), 2..3),
                ("/t".to_owned(), "q".to_owned(), 12..13),
            ]
        );
    }

    #[test]
    fn all_faults_are_found_at_once() {
        let faults = Tree::compile(&json!({"a": "{{{n}}}", "b": ["{{n"], "{{k}}": "{{nope n}}"})).unwrap_err();
        let places: Vec<&str> = faults.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(places, ["/a", "/b/0", "/{{k}}", "/{{k}}"]);
    }
}
