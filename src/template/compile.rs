//! Floor 2. From source to program: reads the Handlebars tree, records the variables, refuses
//! unknown helpers, and rewrites every printing tag so that escaping and absence follow our rules.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use handlebars::template::{BlockParam, HelperTemplate, Parameter, Subexpression, Template, TemplateElement};
use handlebars::{Path, PathSeg};
use serde_json::{Map, Value};

use super::helpers::{self, Helper};
use super::scan::{self, Kind, Tag};
use super::{Body, Escape, MAX_SOURCE, RenderError, Scope, Segment, TemplateError, Text, Variable};
use crate::diag::closest;

/// A template that needs the Handlebars engine.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Program {
    template: Template,
    /// The top-level variables it reads, each once; only these are copied for a call.
    roots: Vec<String>,
}

impl Program {
    pub(super) fn render(&self, scope: &dyn Scope) -> Result<String, RenderError> {
        let data: Map<String, Value> = self
            .roots
            .iter()
            .map(|name| (name.clone(), scope.get(name).map_or(Value::Null, Cow::into_owned)))
            .collect();
        helpers::run(&self.template, Value::Object(data))
    }
}

pub(super) fn text(source: &str, escape: Escape) -> Result<Text, TemplateError> {
    if source.len() > MAX_SOURCE {
        return Err(TemplateError::new(0..source.len(), format!("a template is at most {MAX_SOURCE} bytes long")));
    }
    if !source.contains("{{") {
        let body = Body::Segments(vec![Segment::Raw(source.to_owned())]);
        return Ok(Text { body, escape, variables: vec![], unchecked: vec![], exact: false });
    }
    let tags = scan::scan(source)?;
    let mut template = Template::compile(source).map_err(|error| syntax_fault(source, &tags, error.pos()))?;
    let mut walk = Walk {
        source,
        tags: tags.iter(),
        escape,
        frames: Vec::new(),
        variables: Vec::new(),
        unchecked: Vec::new(),
        segments: Some(Vec::new()),
    };
    walk.elements(&mut template)?;
    let Walk { variables, unchecked, segments, .. } = walk;
    let lone = tags.len() == 1 && template.elements.len() == 1 && !source.contains('~');
    let exact = lone && source.starts_with("{{") && source.ends_with("}}") && segments.is_some();
    let body = match segments {
        Some(segments) => Body::Segments(segments),
        None => Body::Full(Box::new(Program { template, roots: roots(&variables) })),
    };
    Ok(Text { body, escape, variables, unchecked, exact })
}

fn roots(variables: &[Variable]) -> Vec<String> {
    let mut roots: Vec<String> = variables.iter().filter_map(|variable| variable.path.first().cloned()).collect();
    roots.sort_unstable();
    roots.dedup();
    roots
}

/// The parser names its own grammar rules; the author gets the tag and the common causes.
fn syntax_fault(source: &str, tags: &[Tag], position: Option<(usize, usize)>) -> TemplateError {
    let at = position.and_then(|(line, column)| offset(source, line, column));
    let tag = at.and_then(|at| tags.iter().rev().find(|tag| tag.range.start <= at)).or_else(|| tags.first());
    let range = tag.map_or(0..source.len(), |tag| tag.range.clone());
    let text = source.get(range.clone()).unwrap_or_default();
    let indexed = text
        .split('[')
        .next()
        .is_some_and(|before| text.contains('[') && before.ends_with(|c: char| c.is_alphanumeric() || c == '_'));
    let message = if indexed {
        "this tag cannot be read: write an index as `list.[0]`"
    } else {
        "this tag cannot be read: write `{{name}}`, `{{helper argument}}` or `{{#if name}}`, \
         with text arguments in quotes"
    };
    TemplateError::new(range, message)
}

/// The byte offset of a line and column, both counted from one, columns in characters.
fn offset(source: &str, line: usize, column: usize) -> Option<usize> {
    let start: usize = source.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let text = source.get(start..)?;
    let inside = text.char_indices().nth(column.checked_sub(1)?);
    Some(start + inside.map_or(text.len(), |(at, _)| at))
}

/// The items a block of the source introduces.
struct Frame {
    block_params: Vec<String>,
}

/// What a path of the source reads.
#[derive(PartialEq)]
enum Use {
    Variable,
    Item,
    Local,
}

struct Walk<'s> {
    source: &'s str,
    tags: std::slice::Iter<'s, Tag>,
    escape: Escape,
    frames: Vec<Frame>,
    variables: Vec<Variable>,
    unchecked: Vec<Variable>,
    /// The program without the engine, as long as only text and plain names were met.
    segments: Option<Vec<Segment>>,
}

impl Walk<'_> {
    fn next_tag(&mut self) -> Tag {
        let whole = Tag { kind: Kind::Expression, range: 0..self.source.len() };
        self.tags.next().cloned().unwrap_or(whole)
    }

    fn elements(&mut self, template: &mut Template) -> Result<(), TemplateError> {
        // The recorded positions no longer fit once elements are added.
        template.mapping.clear();
        let mut rewritten = Vec::with_capacity(template.elements.len());
        for element in std::mem::take(&mut template.elements) {
            match element {
                TemplateElement::RawString(text) => {
                    if let Some(segments) = self.segments.as_mut() {
                        segments.push(Segment::Raw(text.clone()));
                    }
                    rewritten.push(TemplateElement::RawString(text));
                }
                TemplateElement::Comment(_) => {
                    self.next_tag();
                }
                TemplateElement::Expression(expression) => {
                    let tag = self.next_tag();
                    rewritten.push(self.expression(*expression, &tag)?);
                }
                TemplateElement::HelperBlock(mut block) => {
                    self.segments = None;
                    let tag = self.next_tag();
                    rewritten.extend(self.block(&mut block, &tag)?);
                    rewritten.push(TemplateElement::HelperBlock(block));
                    self.next_tag();
                }
                _ => {
                    let tag = self.next_tag();
                    return Err(TemplateError::new(tag.range, "templates have no such tag"));
                }
            }
        }
        template.elements = rewritten;
        Ok(())
    }

    /// A tag that prints: a plain name or a helper.
    fn expression(&mut self, expression: HelperTemplate, tag: &Tag) -> Result<TemplateElement, TemplateError> {
        let HelperTemplate { name, params, hash, .. } = expression;
        if params.is_empty() && hash.is_empty() {
            let path = match name {
                Parameter::Path(path) => path,
                Parameter::Name(name) => Path::parse(&name)
                    .map_err(|_| TemplateError::new(tag.range.clone(), format!("`{name}` is no name")))?,
                Parameter::Subexpression(_) | Parameter::Literal(_) | _ => {
                    return Err(TemplateError::new(
                        tag.range.clone(),
                        "parentheses are for the arguments of a helper: leave them out here",
                    ));
                }
            };
            let (used, names) = self.path(&path, tag)?;
            match (used, self.segments.as_mut()) {
                (Use::Variable, Some(segments)) => segments.push(Segment::Value(names)),
                (Use::Item | Use::Local, Some(_)) => self.segments = None,
                (_, None) => {}
            }
            return Ok(call(helpers::printer(self.escape), prefixes(&path)));
        }
        self.segments = None;
        let name = name.as_name().unwrap_or_default().to_owned();
        self.helper(&name, &params, &hash, tag)?;
        // A `json` helper in a JSON place is that place's own notation already.
        let escape = match (self.escape, name.as_str()) {
            (Escape::Json, "json") | (Escape::Xml, "xml") | (Escape::UrlQuery, "url") => Escape::None,
            (escape, _) => escape,
        };
        let inner = Subexpression::new(Parameter::Name(name), params, hash);
        Ok(call(helpers::printer(escape), vec![Parameter::Subexpression(inner)]))
    }

    fn helper(
        &mut self,
        name: &str,
        params: &[Parameter],
        hash: &HashMap<String, Parameter>,
        tag: &Tag,
    ) -> Result<(), TemplateError> {
        let at = self.find(name, tag);
        let Some(helper) = Helper::named(name) else {
            return Err(TemplateError::new(at, unknown_helper(name)));
        };
        if let Some(argument) = hash.keys().min() {
            return Err(TemplateError::new(
                self.find(argument, tag),
                format!("`{name}` has no named argument `{argument}`: use `{}`", helper.usage),
            ));
        }
        if !helper.takes.contains(&params.len()) {
            return Err(TemplateError::new(
                at,
                format!("`{name}` is given {} arguments: use `{}`", params.len(), helper.usage),
            ));
        }
        let literals: Vec<Option<&Value>> = params.iter().map(literal).collect();
        if let Some(message) = helpers::literal_fault(name, &literals) {
            return Err(TemplateError::new(tag.range.clone(), message));
        }
        params.iter().try_for_each(|param| self.param(param, tag))
    }

    fn param(&mut self, param: &Parameter, tag: &Tag) -> Result<(), TemplateError> {
        match param {
            Parameter::Path(path) => self.path(path, tag).map(|_| ()),
            Parameter::Subexpression(inner) => {
                let (Some(params), Some(hash)) = (inner.params(), inner.hash()) else {
                    return Ok(());
                };
                let TemplateElement::Expression(expression) = inner.as_element() else {
                    return Ok(());
                };
                let name = expression.name.as_name().unwrap_or_default();
                self.helper(name, params, hash, tag)
            }
            Parameter::Literal(_) | Parameter::Name(_) | _ => Ok(()),
        }
    }

    /// Walks a block; the answer is what must run before it. The closing tag is left to the
    /// caller, because a chained block has none of its own.
    fn block(&mut self, block: &mut HelperTemplate, tag: &Tag) -> Result<Option<TemplateElement>, TemplateError> {
        let name = block.name.as_name().unwrap_or_default().to_owned();
        let [subject] = block.params.as_slice() else {
            return Err(TemplateError::new(
                tag.range.clone(),
                format!("`#{name}` takes one argument; combine several with `(and a b)`"),
            ));
        };
        let conditional = matches!(name.as_str(), "if" | "unless");
        if let Some(key) = block.hash.keys().find(|key| !conditional || *key != "includeZero") {
            return Err(TemplateError::new(self.find(key, tag), format!("`#{name}` has no named argument `{key}`")));
        }
        for param in block.params.iter().chain(block.hash.values()) {
            self.param(param, tag)?;
        }
        // A list that the data does not have is a fault unless an `{{else}}` answers for it.
        let need = match subject {
            Parameter::Path(path) if !conditional && block.inverse.is_none() => {
                Some(call(helpers::NEED, prefixes(path)))
            }
            _ => None,
        };
        if !conditional {
            self.frames.push(Frame { block_params: block_params(block.block_param.as_ref()) });
        }
        if let Some(template) = block.template.as_mut() {
            self.elements(template)?;
        }
        if !conditional {
            self.frames.pop();
        }
        if let Some(inverse) = block.inverse.as_mut() {
            self.inverse(inverse)?;
        }
        Ok(need)
    }

    fn inverse(&mut self, inverse: &mut Template) -> Result<(), TemplateError> {
        let tag = self.next_tag();
        if tag.kind != Kind::ElseBlock {
            return self.elements(inverse);
        }
        inverse.mapping.clear();
        let mut needs = Vec::new();
        for element in &mut inverse.elements {
            if let TemplateElement::HelperBlock(block) = element {
                needs.extend(self.block(block, &tag)?);
            }
        }
        inverse.elements.splice(0..0, needs);
        Ok(())
    }

    /// Records what a path reads.
    fn path(&mut self, path: &Path, tag: &Tag) -> Result<(Use, Vec<String>), TemplateError> {
        let (segments, raw) = match path {
            Path::Local((level, name, raw)) => {
                let known = ["index", "key", "first", "last"].contains(&name.as_str());
                if known && *level < self.frames.len() {
                    return Ok((Use::Local, Vec::new()));
                }
                return Err(TemplateError::new(
                    self.find(raw, tag),
                    format!(
                        "`{raw}` names nothing here: `@index`, `@key`, `@first` and `@last` \
                         exist inside `#each`"
                    ),
                ));
            }
            Path::Relative((segments, raw)) => (segments, raw),
        };
        let range = self.find(raw, tag);
        let names: Vec<String> = segments.iter().filter_map(named).collect();
        let rooted = raw.trim_start_matches("this.").starts_with("@root");
        let ups = segments.iter().take_while(|segment| named(segment).is_none()).count();
        let depth = self.frames.len();
        if !rooted && ups > depth {
            return Err(TemplateError::new(range, format!("`{raw}` leads out of the template")));
        }
        let Some(first) = names.first() else {
            if rooted || ups == depth {
                return Err(TemplateError::new(
                    range,
                    format!("`{raw}` names nothing here: it stands for an item inside `#each`"),
                ));
            }
            return Ok((Use::Item, names));
        };
        let bound = !rooted && self.frames.iter().any(|frame| frame.block_params.contains(first));
        if bound {
            return Ok((Use::Local, names));
        }
        let variable = Variable { path: names.clone(), range };
        if rooted || ups == depth {
            self.variables.push(variable);
            Ok((Use::Variable, names))
        } else {
            self.unchecked.push(variable);
            Ok((Use::Item, names))
        }
    }

    /// Where a name stands inside a tag; the whole tag when it is spelt in another way there.
    fn find(&self, name: &str, tag: &Tag) -> Range<usize> {
        let text = self.source.get(tag.range.clone()).unwrap_or_default();
        let seen = |range: &Range<usize>| {
            let taken = |known: &Variable| known.range == *range;
            self.variables.iter().chain(&self.unchecked).any(taken)
        };
        let found: Vec<Range<usize>> = words(text)
            .filter(|word| text.get(word.clone()) == Some(name))
            .map(|word| tag.range.start + word.start..tag.range.start + word.end)
            .collect();
        let fresh = found.iter().find(|range| !seen(range)).or(found.first());
        fresh.cloned().unwrap_or_else(|| tag.range.clone())
    }
}

fn unknown_helper(name: &str) -> String {
    if helpers::BLOCKS.contains(&name) {
        return format!("`{name}` is a block: write `{{{{#{name} …}}}} … {{{{/{name}}}}}`");
    }
    match closest(name, helpers::describe_names().iter().copied()) {
        Some(meant) => format!("there is no helper `{name}`; did you mean `{meant}`?"),
        None => format!("there is no helper `{name}`; the helpers are {}", helpers::describe_names().join(", ")),
    }
}

fn literal(param: &Parameter) -> Option<&Value> {
    match param {
        Parameter::Literal(value) => Some(value),
        Parameter::Path(_) | Parameter::Subexpression(_) | Parameter::Name(_) | _ => None,
    }
}

fn named(segment: &PathSeg) -> Option<String> {
    match segment {
        PathSeg::Named(name) => Some(name.clone()),
        PathSeg::Ruled(_) | _ => None,
    }
}

fn block_params(param: Option<&BlockParam>) -> Vec<String> {
    let name = |param: &Parameter| param.as_name().unwrap_or_default().to_owned();
    match param {
        Some(BlockParam::Single(one)) => vec![name(one)],
        Some(BlockParam::Pair((value, key))) => vec![name(value), name(key)],
        Some(_) | None => Vec::new(),
    }
}

/// The path and all its beginnings, longest first: the helper behind can tell a path through a
/// `null` from a path the data does not have.
fn prefixes(path: &Path) -> Vec<Parameter> {
    let mut all = vec![Parameter::Path(path.clone())];
    if let Path::Relative((segments, raw)) = path {
        let names = segments.iter().filter(|segment| named(segment).is_some()).count();
        for dropped in 1..names {
            let kept = segments.iter().take(segments.len() - dropped).cloned().collect();
            all.push(Parameter::Path(Path::Relative((kept, raw.clone()))));
        }
    }
    all
}

fn call(name: &str, params: Vec<Parameter>) -> TemplateElement {
    *Subexpression::new(Parameter::Name(name.to_owned()), params, HashMap::new()).element
}

/// The words of a tag outside of its strings.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut quote: Option<char> = None;
    let mut start: Option<usize> = None;
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        let inside = quote.is_some();
        if quote == Some(c) {
            quote = None;
        } else if !inside && matches!(c, '"' | '\'') {
            quote = Some(c);
        }
        let parts = inside || c.is_whitespace() || "\"'{}()=|~#".contains(c);
        match (start, parts) {
            (None, false) => start = Some(at),
            (Some(begin), true) => {
                found.push(begin..at);
                start = None;
            }
            (None, true) | (Some(_), false) => {}
        }
    }
    found.into_iter()
}
