//! Floor 4. Fixed answers: their parts, and what is told and asked before them.

use std::time::Duration;

use url::Url;

use super::{
    ask,
    context::Context,
    data,
    params::Params,
    templates::{self, Stage},
};
use crate::{
    bridge::{
        Ask, EmbeddedResource, Inquiry, Log as WrittenLog, LogLevel, Media, ProgressNote as WrittenProgress,
        PromptMessage, Reply as Written, ReplyItem, ResourceLink, Roots, Sample,
    },
    diag::{Code, Diagnostic, closest},
    plan::{Content, EmbeddedBody, Item, Level, LinkAbout, Log, ProgressNote, Question, Reply},
    template::{Text, Variable},
    yaml::Pointer,
};

/// A pause at most, and all pauses of an answer together.
const DELAY_MAX: Duration = Duration::from_secs(10);
/// Questions of one round at most: a person is to answer them.
const ROUND_MAX: usize = 10;

/// Whose content it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// A tool's or a prompt's.
    Anybodys,
    /// A resource's: its parts have the address of the resource unless they say otherwise.
    Resources,
}

/// What is known while the items of an answer are read, one after the other.
pub(super) struct Builder<'a> {
    params: &'a Params,
    whose: Whose,
    /// The questions so far.
    questions: Vec<Known>,
    /// The variables that are named somewhere.
    pub(super) used: Vec<String>,
    progress: Option<f64>,
    delay: Duration,
}

/// A question that later items can name.
#[derive(Clone, Debug)]
struct Known {
    name: String,
    /// What an answer to it has.
    parts: Parts,
}

/// What an answer has.
#[derive(Clone, Debug)]
pub(super) enum Parts {
    /// A person's: whether the form was filled in, and its blanks.
    Form(Vec<String>),
    /// A model's.
    Words,
    /// The client's folders.
    Folders,
}

impl Parts {
    const fn names(&self) -> &'static [&'static str] {
        match self {
            Self::Form(_) => &["action", "content"],
            Self::Words => &["action", "text", "model", "role", "content"],
            Self::Folders => &["action", "roots"],
        }
    }
}

/// Builds a fixed answer. `None` after a fault that leaves nothing to build on.
pub(super) fn build(
    written: &Written,
    builder: &mut Builder<'_>,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Reply> {
    let mut items = Vec::new();
    let mut whole = true;
    let mut is_error = false;
    for (index, item) in written.items().iter().enumerate() {
        let at = match written {
            Written::Items(_) => at.at(index),
            Written::Item(_) => at.clone(),
        };
        is_error |= item.error == Some(true);
        match builder.item(Part::from(item), &at, context) {
            Some(item) => items.push(item),
            None => whole = false,
        }
        if item.error.is_some() && !Part::from(item).says() {
            let span = context.key(&at.at("error"));
            let fault = Diagnostic::error(Code::Reply, span, "`error` has no meaning without a content beside it");
            context.push(fault.help("write it beside `text`"));
        }
    }
    if !written.items().iter().any(|item| Part::from(item).says()) && !context.is_faulty(at) {
        let fault = Diagnostic::error(Code::Reply, context.key(at), "the answer says nothing");
        context.push(fault.help("end it with a `text`"));
    }
    whole.then_some(Reply { items, is_error })
}

/// One item, wherever it stands. Exactly one of its parts is there.
#[derive(Clone, Copy, Default)]
pub(super) struct Part<'w> {
    text: Option<&'w str>,
    image: Option<&'w Media>,
    audio: Option<&'w Media>,
    resource: Option<&'w EmbeddedResource>,
    resource_link: Option<&'w ResourceLink>,
    log: Option<&'w WrittenLog>,
    progress: Option<&'w WrittenProgress>,
    delay: Option<Duration>,
    ask: Option<&'w Ask>,
    sample: Option<&'w Sample>,
    roots: Option<&'w Roots>,
    together: Option<&'w [Inquiry]>,
}

impl Part<'_> {
    /// Whether it is a part of the result.
    pub(super) const fn says(&self) -> bool {
        self.text.is_some()
            || self.image.is_some()
            || self.audio.is_some()
            || self.resource.is_some()
            || self.resource_link.is_some()
    }
}

impl<'w> From<&'w ReplyItem> for Part<'w> {
    fn from(item: &'w ReplyItem) -> Self {
        Self {
            text: item.text.as_deref(),
            image: item.image.as_ref(),
            audio: item.audio.as_ref(),
            resource: item.resource.as_ref(),
            resource_link: item.resource_link.as_ref(),
            log: item.log.as_ref(),
            progress: item.progress.as_ref(),
            delay: item.delay.map(|delay| delay.0),
            ask: item.ask.as_ref(),
            sample: item.sample.as_ref(),
            roots: item.roots.as_ref(),
            together: item.together.as_deref(),
        }
    }
}

impl<'w> From<&'w PromptMessage> for Part<'w> {
    fn from(message: &'w PromptMessage) -> Self {
        Self {
            text: message.text.as_deref(),
            image: message.image.as_ref(),
            audio: message.audio.as_ref(),
            resource: message.resource.as_ref(),
            resource_link: message.resource_link.as_ref(),
            ask: message.ask.as_ref(),
            sample: message.sample.as_ref(),
            roots: message.roots.as_ref(),
            together: message.together.as_deref(),
            ..Self::default()
        }
    }
}

impl<'w> From<&'w Inquiry> for Part<'w> {
    fn from(inquiry: &'w Inquiry) -> Self {
        Self {
            ask: inquiry.ask.as_ref(),
            sample: inquiry.sample.as_ref(),
            roots: inquiry.roots.as_ref(),
            ..Self::default()
        }
    }
}

impl<'a> Builder<'a> {
    pub(super) fn new(params: &'a Params, whose: Whose) -> Self {
        let (questions, used) = (Vec::new(), Vec::new());
        Self { params, whose, questions, used, progress: None, delay: Duration::ZERO }
    }

    /// Builds one item. `None` after a fault.
    pub(super) fn item(&mut self, part: Part<'_>, at: &Pointer, context: &mut Context<'_>) -> Option<Item> {
        if let Some(text) = part.text {
            return self.text(text, &at.at("text"), context).map(|text| Item::Say(Content::Text(text)));
        }
        if let Some(image) = part.image {
            return data::media(image, "image", &at.at("image"), context).map(|it| Item::Say(Content::Image(it)));
        }
        if let Some(audio) = part.audio {
            return data::media(audio, "audio", &at.at("audio"), context).map(|it| Item::Say(Content::Audio(it)));
        }
        if let Some(resource) = part.resource {
            return self.embedded(resource, &at.at("resource"), context).map(Item::Say);
        }
        if let Some(link) = part.resource_link {
            return self.link(link, &at.at("resource_link"), context).map(Item::Say);
        }
        if let Some(log) = part.log {
            let message = self.text(&log.message, &at.at("log").at("message"), context)?;
            let level = level(log.level.unwrap_or(LogLevel::Info));
            return Some(Item::Log(Log { level, logger: log.logger.clone(), message }));
        }
        if let Some(progress) = part.progress {
            return self.progress(progress, &at.at("progress"), context);
        }
        if let Some(delay) = part.delay {
            return self.delay(delay, &at.at("delay"), context);
        }
        if let Some(round) = part.together {
            return self.round(round, &at.at("together"), context);
        }
        self.inquiry(part, at, context).map(|question| Item::Ask(vec![question]))
    }

    /// Compiles a template. Its `answers.NAME` must be of a question before it.
    pub(super) fn text(&mut self, source: &str, at: &Pointer, context: &mut Context<'_>) -> Option<Text> {
        let text = templates::text(source, Stage::Reply, self.params, at, context)?;
        for variable in text.variables() {
            let Some(first) = variable.path.first() else { continue };
            self.used.push(first.clone());
            if first != "answers" || self.params.is_known(first) {
                continue;
            }
            self.answer(variable, at, context);
        }
        Some(text)
    }

    /// Checks one `answers.NAME.PART`.
    fn answer(&self, variable: &Variable, at: &Pointer, context: &mut Context<'_>) {
        let step = |at: usize| variable.path.get(at).map(String::as_str);
        let fault =
            |message| Diagnostic::error(Code::UnknownVariable, context.part(at, variable.range.clone()), message);
        let Some(name) = step(1) else {
            let fault = fault("name the question: `answers.NAME`".to_owned());
            return context.push(fault);
        };
        let Some(known) = self.questions.iter().find(|known| known.name == name) else {
            let fault = fault(format!("no question before this is named `{name}`"));
            let near = closest(name, self.questions.iter().map(|known| known.name.as_str()));
            return context.push(match near {
                Some(near) => fault.help(format!("did you mean `answers.{near}`?")),
                None => fault,
            });
        };
        let parts = known.parts.names();
        match (step(2), step(3), &known.parts) {
            (Some(part), _, _) if !parts.contains(&part) => {
                let fault = fault(format!("an answer to `{name}` has no part `{part}`"));
                context.push(fault.help(format!("known: {}", parts.join(", "))));
            }
            (Some("content"), Some(field), Parts::Form(fields)) if !fields.iter().any(|it| it == field) => {
                let fault = fault(format!("the form of `{name}` has no blank `{field}`"));
                let near = closest(field, fields.iter().map(String::as_str));
                context.push(match near {
                    Some(near) => fault.help(format!("did you mean `answers.{name}.content.{near}`?")),
                    None => fault,
                });
            }
            _ => {}
        }
    }

    /// Remembers a question. `None` after a fault.
    pub(super) fn question(
        &mut self,
        name: &str,
        parts: Parts,
        at: &Pointer,
        context: &mut Context<'_>,
    ) -> Option<String> {
        let at = at.at("name");
        if !ask::is_name(name) {
            let message = format!("`{name}` cannot be the name of a question");
            let fault = Diagnostic::error(Code::Ask, context.value(&at), message);
            context.push(fault.help("use up to 64 letters, digits and `_`, beginning with a letter"));
            return None;
        }
        if self.questions.iter().any(|known| known.name == name) {
            context.fault(Code::Ask, &at, format!("two questions are named `{name}`"));
            return None;
        }
        self.questions.push(Known { name: name.to_owned(), parts });
        Some(name.to_owned())
    }

    fn round(&mut self, written: &[Inquiry], at: &Pointer, context: &mut Context<'_>) -> Option<Item> {
        if written.is_empty() || written.len() > ROUND_MAX {
            let message = format!("a round has 1 to {ROUND_MAX} questions");
            context.push(Diagnostic::error(Code::Ask, context.key(at), message));
        }
        // What is asked at once cannot know the answers of its own round.
        let before = self.questions.len();
        let mut questions: Vec<Question> = Vec::new();
        let mut names: Vec<Known> = Vec::new();
        for (index, inquiry) in written.iter().enumerate() {
            let at = at.at(index);
            questions.extend(self.inquiry(Part::from(inquiry), &at, context));
            for known in self.questions.split_off(before) {
                if names.iter().any(|other| other.name == known.name) {
                    let kind = ["ask", "sample", "roots"].into_iter().find(|kind| context.has(&at.at(kind)));
                    let at = kind.map_or(at.clone(), |kind| at.at(kind).at("name"));
                    context.fault(Code::Ask, &at, format!("two questions are named `{}`", known.name));
                } else {
                    names.push(known);
                }
            }
        }
        self.questions.extend(names);
        (questions.len() == written.len()).then_some(Item::Ask(questions))
    }

    fn inquiry(&mut self, part: Part<'_>, at: &Pointer, context: &mut Context<'_>) -> Option<Question> {
        if let Some(person) = part.ask {
            ask::person(person, &at.at("ask"), self, context)
        } else if let Some(model) = part.sample {
            ask::model(model, &at.at("sample"), self, context)
        } else {
            ask::folders(part.roots?, &at.at("roots"), self, context)
        }
    }

    /// Clients drop progress that does not grow (protocol.md U-01).
    fn progress(&mut self, written: &WrittenProgress, at: &Pointer, context: &mut Context<'_>) -> Option<Item> {
        if self.progress.is_some_and(|before| written.value <= before) {
            let fault = Diagnostic::error(
                Code::Progress,
                context.value(&at.at("value")),
                format!("progress must grow: it was {} before", self.progress.unwrap_or_default()),
            );
            context.push(fault);
        }
        if written.total.is_some_and(|total| written.value > total) {
            context.fault(Code::Progress, &at.at("value"), "more is done than there is to do");
        }
        self.progress = Some(written.value);
        let message = match written.message.as_deref().map(|text| self.text(text, &at.at("message"), context)) {
            None => None,
            Some(text) => Some(text?),
        };
        Some(Item::Progress(ProgressNote { value: written.value, total: written.total, message }))
    }

    fn delay(&mut self, delay: Duration, at: &Pointer, context: &mut Context<'_>) -> Option<Item> {
        self.delay += delay;
        if self.delay > DELAY_MAX {
            let message = format!("the pauses of an answer take up to {} s together", DELAY_MAX.as_secs());
            context.fault(Code::Delay, at, message);
            return None;
        }
        Some(Item::Delay(delay))
    }

    pub(super) fn embedded(
        &mut self,
        written: &EmbeddedResource,
        at: &Pointer,
        context: &mut Context<'_>,
    ) -> Option<Content> {
        let uri = match &written.uri {
            Some(uri) => Some(self.uri(uri, &at.at("uri"), context)?),
            None if self.whose == Whose::Resources => None,
            None => {
                if !context.is_lost(None::<&()>, &at.at("uri")) {
                    let fault = Diagnostic::error(Code::Reply, context.key(at), "the resource has no `uri`");
                    context.push(fault.help("write the address that clients know it by"));
                }
                return None;
            }
        };
        if let Some(mime_type) = &written.mime_type
            && !data::mime_type(mime_type, &at.at("mime_type"), context)
        {
            return None;
        }
        let body = match &written.text {
            Some(text) => EmbeddedBody::Text(self.text(text, &at.at("text"), context)?),
            None => EmbeddedBody::Blob(data::blob(written.data.as_deref(), written.file.as_deref(), at, context)?),
        };
        let text = matches!(body, EmbeddedBody::Text(_)).then_some("text/plain");
        let mime_type = written.mime_type.as_deref().or(text.filter(|_| self.whose == Whose::Anybodys));
        Some(Content::Resource { uri, mime_type: mime_type.map(Into::into), body })
    }

    pub(super) fn link(&mut self, written: &ResourceLink, at: &Pointer, context: &mut Context<'_>) -> Option<Content> {
        let uri = self.uri(&written.uri, &at.at("uri"), context)?;
        if let Some(mime_type) = &written.mime_type
            && !data::mime_type(mime_type, &at.at("mime_type"), context)
        {
            return None;
        }
        let about = LinkAbout {
            name: written.name.clone(),
            title: written.title.clone(),
            description: written.description.clone(),
            mime_type: written.mime_type.clone(),
            size: written.size,
        };
        Some(Content::Link { uri, about: about.into() })
    }

    fn uri(&mut self, source: &str, at: &Pointer, context: &mut Context<'_>) -> Option<Text> {
        let text = self.text(source, at, context)?;
        if text.is_constant() && Url::parse(source).is_err() {
            let span = context.value(at);
            let fault =
                Diagnostic::error(Code::ResourceUri, span, format!("`{source}` is not the address of a resource"));
            context.push(fault.help("an address begins with its scheme: `shop://policy`"));
            return None;
        }
        Some(text)
    }
}

const fn level(written: LogLevel) -> Level {
    match written {
        LogLevel::Debug => Level::Debug,
        LogLevel::Info => Level::Info,
        LogLevel::Notice => Level::Notice,
        LogLevel::Warning => Level::Warning,
        LogLevel::Error => Level::Error,
        LogLevel::Critical => Level::Critical,
        LogLevel::Alert => Level::Alert,
        LogLevel::Emergency => Level::Emergency,
    }
}
