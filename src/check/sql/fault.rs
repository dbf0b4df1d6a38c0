//! Floor 4. What can be wrong in the author's SQL text, as values with a place. Serves `check`,
//! which gives them codes and words.

use std::ops::Range;

/// Something wrong in the text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The text that `range` counts in.
    pub place: Place,
    /// In bytes of the author's text.
    pub range: Range<usize>,
}

impl Fault {
    /// The list that stands where a single value belongs, if this is the fault.
    pub fn list_outside_in(&self) -> Option<&String> {
        match &self.kind {
            FaultKind::ListOutsideIn { name } => Some(name),
            _ => None,
        }
    }
}

/// Which text a [`Fault`] is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The statement itself.
    Statement,
    /// An option of a `choices` param that the statement uses.
    Choice {
        /// The param.
        param: String,
        /// The key of the option.
        key: String,
    },
}

/// What is wrong in SQL text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// There is nothing to run.
    Empty,
    /// A second statement; the range is its first token.
    SecondStatement,
    /// `;` in a fragment or in an option.
    Separator,
    /// `:name` of no declared param.
    Undeclared {
        /// The name, without the colon.
        name: String,
    },
    /// A placeholder of the engine; `:name` is the way to write one.
    NativePlaceholder,
    /// `{{ … }}`: SQL text is never a template.
    Template,
    /// A NUL character, where some engines stop reading.
    Nul,
    /// A quote without its end.
    UnclosedQuote,
    /// A comment without its end.
    UnclosedComment,
    /// `/*! … */`: text that is a comment to a reader and runs all the same.
    ExecutableComment,
    /// A parenthesis without its other half in the same statement, fragment or option.
    UnbalancedParenthesis,
    /// `[[` without white space after it.
    TightFragment,
    /// `[[` inside a fragment.
    NestedFragment,
    /// `[[` in an option of a choice.
    FragmentInChoice,
    /// `[[` without `]]`.
    UnclosedFragment,
    /// `]]` without `[[`.
    UnopenedFragment,
    /// A fragment without a param: nothing decides whether it is kept.
    FragmentWithoutParam,
    /// A list param that does not stand alone in `IN ( )`.
    ListOutsideIn {
        /// The param.
        name: String,
    },
    /// A `like` param that is not the whole right side of a LIKE.
    LikeOutsideLike {
        /// The param.
        name: String,
    },
    /// A `like` param followed by ESCAPE, which is added anyway.
    LikeWithEscape {
        /// The param.
        name: String,
    },
    /// A choice inside an option of a choice.
    ChoiceInChoice {
        /// The inner param.
        name: String,
    },
    /// `:name` of an earlier statement without a column behind it.
    ResultWithoutColumn {
        /// The statement.
        name: String,
    },
    /// A value of an earlier statement in a fragment, which would have to be decided before it is there.
    ResultInFragment {
        /// The statement.
        name: String,
    },
    /// A value of a statement that has not run yet.
    ResultNotYet {
        /// The statement.
        name: String,
    },
    /// A column of a statement without rows.
    ResultHasNoRows {
        /// The statement.
        name: String,
        /// Whether the engine tells the id of the row that was added last.
        has_id: bool,
    },
    /// The text does not begin with a keyword.
    NoLeadingKeyword,
    /// A kind of statement that no tool may run: it changes the session or the transaction.
    Forbidden {
        /// In upper case.
        keyword: String,
    },
    /// A statement or clause that needs `mode: write`.
    NeedsWrite {
        /// In upper case.
        keyword: String,
    },
}
