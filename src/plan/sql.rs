//! Floor 3. What a SQL operation is when it runs: compiled author text, its bind order for one
//! call, and the vocabulary around it. Built by `check::sql`, executed by `upstream::sql`.

mod render;
mod variants;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Most values one rendered statement may bind: the limit of `SQLite`, the lowest of the engines.
pub const MAX_BINDS: usize = 32_766;

/// Most statement texts [`Statement::variants`] returns.
pub const MAX_VARIANTS: usize = 256;

/// The SQL family of a source. It decides quoting rules and how a placeholder is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `?1`, `?2`, …; the same value twice uses one number.
    Sqlite,
    /// `$1`, `$2`, …; the same value twice uses one number.
    Postgres,
    /// `?` in order of appearance; also `MariaDB`.
    Mysql,
}

/// Whether an operation may change data (`mode:` in a bridge file).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads only; the engine enforces it as well.
    Read,
    /// May change data.
    Write,
}

/// What the caller gets back (`returns:` in a bridge file).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// All rows, up to the cap.
    Rows,
    /// The first row as an object.
    Row,
    /// The first column of the first row.
    Value,
    /// The number of affected rows.
    Affected,
}

/// How many rows a write must affect, else it is rolled back (`expect_rows:`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedRows {
    /// Exactly this many rows.
    Exactly(u64),
    /// This many rows or fewer.
    AtMost(u64),
}

impl ExpectedRows {
    /// Whether a write that affected so many rows may be committed.
    #[must_use]
    pub const fn allows(self, affected: u64) -> bool {
        match self {
            Self::Exactly(rows) => affected == rows,
            Self::AtMost(rows) => affected <= rows,
        }
    }
}

/// Where the value of a `like:` param may stand in the text it is looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikeKind {
    /// Anywhere: `%value%`.
    Contains,
    /// At the start: `value%`.
    Prefix,
    /// At the end: `%value`.
    Suffix,
}

impl LikeKind {
    /// The pattern to bind for `value`, for use with `ESCAPE '!'`, which every rendered LIKE has.
    #[must_use]
    pub fn pattern(self, value: &str) -> String {
        let mut pattern = String::with_capacity(value.len() + 2);
        if matches!(self, Self::Contains | Self::Suffix) {
            pattern.push('%');
        }
        for character in value.chars() {
            if matches!(character, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(character);
        }
        if matches!(self, Self::Contains | Self::Prefix) {
            pattern.push('%');
        }
        pattern
    }
}

/// One part of a compiled statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Author text, sent as it is.
    Text(String),
    /// A placeholder for a param's whole value; NULL when it has none.
    Bind(Arc<str>),
    /// A placeholder for a LIKE pattern, followed by its ESCAPE clause.
    Like(Arc<str>, LikeKind),
    /// The items of a list param and the parenthesis that closes `IN (`. `Postgres` binds an array instead.
    List(Arc<str>),
    /// One of the author's texts, picked by the param's value.
    Choice(Arc<str>, Vec<ChoiceOption>),
    /// Pieces that are kept only if every needed param has a value.
    Fragment {
        /// The content between `[[` and `]]`.
        pieces: Vec<Self>,
        /// The params named in it.
        needs: Vec<Arc<str>>,
    },
}

/// An option of a `choices` param.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChoiceOption {
    /// What the caller gives.
    pub key: String,
    /// What the author wrote for it.
    pub pieces: Vec<Piece>,
}

/// One value to bind, in the order of [`Rendered::slots`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The param whose value is bound.
    pub param: Arc<str>,
    /// Which part or form of it.
    pub form: Form,
}

/// Which part or form of a param's value a [`Slot`] binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The value itself, NULL when absent.
    Whole,
    /// The item of the list at this index, always inside the list.
    Item(usize),
    /// The result of [`LikeKind::pattern`], NULL when absent.
    Like(LikeKind),
}

/// Statement text with the engine's own placeholders, and what to bind to them. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text to prepare.
    pub sql: Arc<str>,
    /// The values to bind, first placeholder number first.
    pub slots: Arc<[Slot]>,
}

/// What rendering must know about one call's arguments.
pub trait Arguments {
    /// Whether the param has a value that is not null.
    fn present(&self, param: &str) -> bool;
    /// The key given for a `choices` param.
    fn choice(&self, param: &str) -> Option<&str>;
    /// The number of items of a list param; `None` when it is absent or null.
    fn list_len(&self, param: &str) -> Option<usize>;
}

/// What the declared schema of a param says about its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamType {
    /// A text, or anything that is none of the others.
    Text,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// A text that is a date with a time (`format: date-time`).
    DateTime,
    /// A list of texts.
    Texts,
    /// A list of whole numbers.
    Integers,
    /// A list of numbers.
    Numbers,
    /// A list of true and false.
    Booleans,
    /// A list of dates with a time.
    DateTimes,
}

impl ParamType {
    /// The type of a list of values of this type.
    #[must_use]
    pub const fn list(self) -> Self {
        match self {
            Self::Text | Self::Texts => Self::Texts,
            Self::Integer | Self::Integers => Self::Integers,
            Self::Number | Self::Numbers => Self::Numbers,
            Self::Boolean | Self::Booleans => Self::Booleans,
            Self::DateTime | Self::DateTimes => Self::DateTimes,
        }
    }

    /// The type of an item of a list of this type.
    #[must_use]
    pub const fn item(self) -> Self {
        match self {
            Self::Text | Self::Texts => Self::Text,
            Self::Integer | Self::Integers => Self::Integer,
            Self::Number | Self::Numbers => Self::Number,
            Self::Boolean | Self::Booleans => Self::Boolean,
            Self::DateTime | Self::DateTimes => Self::DateTime,
        }
    }
}

/// Why a statement cannot be rendered for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderError {
    /// A `choices` param outside a fragment has no value, or one that is not an option.
    NoChoice {
        /// The param.
        param: Arc<str>,
    },
    /// The lists need more than [`MAX_BINDS`] placeholders.
    TooManyBinds {
        /// The list param that went over the limit.
        param: Arc<str>,
    },
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChoice { param } => write!(f, "`{param}` is not one of its choices"),
            Self::TooManyBinds { param } => {
                write!(f, "`{param}` is too long: a statement binds at most {MAX_BINDS} values")
            }
        }
    }
}

impl std::error::Error for RenderError {}

/// A compiled statement: author text whose only variable parts are known at load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    dialect: Dialect,
    pieces: Vec<Piece>,
    types: BTreeMap<String, ParamType>,
    /// The text when no argument changes it, which is the common case and costs nothing per call.
    fixed: Option<Rendered>,
}

impl Statement {
    /// A statement made of these pieces.
    #[must_use]
    pub fn new(dialect: Dialect, pieces: Vec<Piece>) -> Self {
        let is_fixed = pieces.iter().all(|piece| match piece {
            Piece::Text(_) | Piece::Bind(_) | Piece::Like(..) => true,
            Piece::List(..) | Piece::Choice(..) | Piece::Fragment { .. } => false,
        });
        let mut statement = Self { dialect, pieces, types: BTreeMap::new(), fixed: None };
        if is_fixed {
            statement.fixed = render::write(&statement, &NoArguments).ok();
        }
        statement
    }

    /// The pieces, in text order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Adds what is declared about the params, for engines that cannot always tell from the text.
    #[must_use]
    pub fn typed(mut self, types: BTreeMap<String, ParamType>) -> Self {
        self.types = types;
        self
    }

    /// What is declared about a param.
    #[must_use]
    pub fn type_of(&self, param: &str) -> Option<ParamType> {
        self.types.get(param).copied()
    }

    /// How placeholders are written.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether every call has the same text, so that it can be prepared once.
    #[must_use]
    pub const fn is_fixed(&self) -> bool {
        self.fixed.is_some()
    }

    /// Text and bind order for one call.
    ///
    /// # Errors
    ///
    /// When a choice is missing or the lists are too long. Neither happens if the arguments passed
    /// a schema that requires the choice and bounds the lists.
    pub fn render(&self, arguments: &dyn Arguments) -> Result<Rendered, RenderError> {
        match &self.fixed {
            Some(rendered) => Ok(rendered.clone()),
            None => render::write(self, arguments),
        }
    }

    /// The distinct texts to prepare when a source is checked: every fragment, no fragment and
    /// each fragment alone, with every option of the choices, and the empty form of lists. At most
    /// [`MAX_VARIANTS`], the most telling ones first.
    ///
    /// `always` tells which params have a value in every call, so that no text is made that no
    /// call could make. Fragments that share a param come and go together.
    #[must_use]
    pub fn variants(&self, always: &dyn Fn(&str) -> bool) -> Vec<Rendered> {
        if let Some(rendered) = &self.fixed {
            return vec![rendered.clone()];
        }
        variants::forms(self, always)
    }
}

struct NoArguments;

impl Arguments for NoArguments {
    fn present(&self, _param: &str) -> bool {
        false
    }

    fn choice(&self, _param: &str) -> Option<&str> {
        None
    }

    fn list_len(&self, _param: &str) -> Option<usize> {
        None
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Arguments in a line: `id` has a value, `ids=2` has two items, `sort:newest` is a choice.
    pub(crate) struct Given(String);

    impl Given {
        pub(crate) fn new(text: &str) -> Self {
            Self(text.to_owned())
        }

        fn find(&self, param: &str, mark: char) -> Option<&str> {
            let words = self.0.split(' ').filter_map(|word| word.split_once(mark));
            words.filter(|(name, _)| *name == param).map(|(_, value)| value).next()
        }
    }

    impl Arguments for Given {
        fn present(&self, param: &str) -> bool {
            self.0.split(' ').any(|word| word.split([':', '=']).next() == Some(param))
        }

        fn choice(&self, param: &str) -> Option<&str> {
            self.find(param, ':')
        }

        fn list_len(&self, param: &str) -> Option<usize> {
            self.find(param, '=').and_then(|len| len.parse().ok())
        }
    }

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    fn fragment(needs: &str, content: &str) -> Piece {
        Piece::Fragment { pieces: vec![text(content)], needs: vec![Arc::from(needs)] }
    }

    fn choice(param: &str, keys: &[&str]) -> Piece {
        let option = |key: &&str| ChoiceOption { key: (*key).to_owned(), pieces: vec![text(key)] };
        Piece::Choice(Arc::from(param), keys.iter().map(option).collect())
    }

    #[test]
    fn like_values_match_themselves() {
        for (kind, value, pattern) in [
            (LikeKind::Contains, "50%", "%50!%%"),
            (LikeKind::Prefix, "a_b", "a!_b%"),
            (LikeKind::Suffix, "!é", "%!!é"),
            (LikeKind::Contains, "", "%%"),
        ] {
            assert_eq!(kind.pattern(value), pattern);
        }
    }

    #[test]
    fn a_fixed_text_is_shared_between_calls() {
        let fixed = Statement::new(Dialect::Sqlite, vec![text("SELECT "), Piece::Bind("a".into())]);
        let [one, two] = [(), ()].map(|()| fixed.render(&Given::new("")).unwrap());
        assert!(Arc::ptr_eq(&one.sql, &two.sql) && Arc::ptr_eq(&one.slots, &two.slots));
        let free = Statement::new(Dialect::Sqlite, vec![fragment("a", "x")]);
        assert!(fixed.is_fixed() && !free.is_fixed());
    }

    #[test]
    fn what_cannot_be_rendered_is_an_error() {
        let list = Piece::List("ids".into());
        let pieces = vec![choice("sort", &["a"]), text(" IN ("), list];
        let statement = Statement::new(Dialect::Sqlite, pieces);
        let no_choice = Err(RenderError::NoChoice { param: "sort".into() });
        let too_many = Err(RenderError::TooManyBinds { param: "ids".into() });
        for (given, result) in [
            ("ids=1", no_choice.clone()),
            ("ids=1 sort:b", no_choice),
            ("ids=32766 sort:a", Ok(MAX_BINDS)),
            ("ids=32767 sort:a", too_many.clone()),
            ("ids=18446744073709551615 sort:a", too_many),
        ] {
            let slots = statement.render(&Given::new(given)).map(|rendered| rendered.slots.len());
            assert_eq!(slots, result, "{given}");
        }
    }

    #[test]
    fn variants_are_the_texts_calls_can_make() {
        let list = || Piece::List("ids".into());
        for (pieces, always, expected) in [
            (vec![text("x")], "", vec!["x"]),
            (vec![fragment("a", "A"), fragment("b", "B")], "", vec!["A B ", " ", "A ", " B "]),
            (vec![fragment("a", "A"), fragment("a", "B")], "", vec!["A B ", " "]),
            (vec![fragment("a", "A"), fragment("b", "B")], "a", vec!["A B ", "A "]),
            (vec![choice("s", &["x", "y"]), fragment("a", "A")], "", vec!["xA ", "x ", "yA ", "y "]),
            (vec![list()], "", vec!["?1)", "SELECT 1 WHERE 0)"]),
        ] {
            let texts = Statement::new(Dialect::Sqlite, pieces).variants(&|name| name == always);
            assert_eq!(texts.iter().map(|form| form.sql.as_ref()).collect::<Vec<_>>(), expected);
        }
        let keys: Vec<_> = (0..20).map(|key| format!("k{key} ")).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let many = ["s", "t", "u"].map(|param| choice(param, &keys)).to_vec();
        assert_eq!(Statement::new(Dialect::Mysql, many).variants(&|_| false).len(), MAX_VARIANTS);
    }
}
