//! Floor 4. Goes through the tokens of a text once, collecting pieces, faults and what the text
//! tells about itself. Serves `compile`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::super::fault::{Fault, FaultKind, Place};
use super::super::keyword::{Leading, Word};
use super::super::lexer::{Token, TokenKind, lex};
use super::Params;
use crate::plan::sql::{ChoiceOption, Dialect, Piece};

#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) params: &'a Params,
    pub(super) dialect: Dialect,
}

/// An open fragment while its content is read.
pub(super) struct OpenFragment {
    range: Range<usize>,
    outer: Vec<Piece>,
    pub(super) needs: Vec<Arc<str>>,
    /// How many parentheses were open before it.
    parentheses: usize,
}

pub(super) struct Reader<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) text: &'a str,
    pub(super) place: Place,
    pub(super) pieces: Vec<Piece>,
    pub(super) fragment: Option<OpenFragment>,
    parentheses: Vec<Range<usize>>,
    /// The last three significant tokens in upper case, newest first.
    pub(super) recent: [String; 3],
    /// Where each of `recent` begins in the pieces: how many there were, and the length of the last.
    pub(super) marks: [(usize, usize); 3],
    pub(super) leading: Option<Leading>,
    /// A `;` ended the statement.
    ended: bool,
    pub(super) words: Vec<Word>,
    pub(super) used: BTreeSet<String>,
    pub(super) taken: BTreeSet<String>,
    pub(super) unguarded: BTreeSet<String>,
    pub(super) quoted: Vec<(String, Range<usize>)>,
    pub(super) options: BTreeMap<String, Vec<ChoiceOption>>,
    pub(super) faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(scope: Scope<'a>, text: &'a str, place: Place) -> Self {
        Self {
            scope,
            text,
            place,
            pieces: Vec::new(),
            fragment: None,
            parentheses: Vec::new(),
            recent: Default::default(),
            marks: Default::default(),
            leading: None,
            ended: false,
            words: Vec::new(),
            used: BTreeSet::new(),
            taken: BTreeSet::new(),
            unguarded: BTreeSet::new(),
            quoted: Vec::new(),
            options: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    pub(super) fn slice(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    pub(super) fn fault(&mut self, kind: FaultKind, range: Range<usize>) {
        self.faults.push(Fault { kind, place: self.place.clone(), range });
    }

    pub(super) fn read(&mut self) {
        for (at, _) in self.text.match_indices('\0') {
            self.fault(FaultKind::Nul, at..at + 1);
        }
        let tokens = lex(self.text, self.scope.dialect);
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let rest = tokens.get(at + 1..).unwrap_or_default();
            if self.ended && token.kind.is_significant() && token.kind != TokenKind::Separator {
                self.fault(FaultKind::SecondStatement, token.range.clone());
                break;
            }
            let mark = self.mark();
            at += 1 + self.token(token, rest);
            if token.kind.is_significant() {
                self.remember(token, mark);
            }
        }
        self.finish();
    }

    fn mark(&self) -> (usize, usize) {
        match self.pieces.last() {
            Some(Piece::Text(text)) => (self.pieces.len(), text.len()),
            Some(_) | None => (self.pieces.len() + 1, 0),
        }
    }

    /// Takes back what was pushed since a mark, if that is all in the last piece.
    pub(super) fn take_back(&mut self, (pieces, length): (usize, usize)) -> bool {
        let count = self.pieces.len();
        match self.pieces.last_mut() {
            Some(Piece::Text(text)) if count == pieces && text.is_char_boundary(length) => {
                text.truncate(length);
                true
            }
            Some(_) | None => false,
        }
    }

    fn remember(&mut self, token: &Token, mut mark: (usize, usize)) {
        let mut upper = self.slice(&token.range).to_ascii_uppercase();
        if self.leading.is_none() && upper != "(" && token.kind != TokenKind::Separator {
            let is_word = token.kind == TokenKind::Word;
            self.leading = Some(Leading { keyword: is_word.then(|| upper.clone()), range: token.range.clone() });
        }
        for slot in &mut self.recent {
            std::mem::swap(slot, &mut upper);
        }
        for slot in &mut self.marks {
            std::mem::swap(slot, &mut mark);
        }
    }

    /// Takes one token and returns how many of the following ones it took as well.
    fn token(&mut self, token: &Token, rest: &[Token]) -> usize {
        let range = token.range.clone();
        let opening = range.start..range.start + 1;
        match token.kind {
            TokenKind::Space | TokenKind::BlockComment => self.push_text(&range),
            // Left out, so that nothing put behind the statement or an option becomes a comment.
            TokenKind::LineComment => {}
            TokenKind::Quoted => {
                self.find_quoted_names(&range);
                self.push_text(&range);
            }
            TokenKind::Word => {
                self.push_word(&range, rest);
                self.push_text(&range);
            }
            TokenKind::Symbol => {
                self.parenthesis(&range);
                // `MySQL` reads two minus signs as a comment once white space follows them.
                let after_minus = matches!(self.pieces.last(), Some(Piece::Text(text)) if text.ends_with('-'));
                if after_minus && self.slice(&range) == "-" {
                    self.push_str(" ");
                }
                self.push_text(&range);
            }
            TokenKind::Placeholder => return self.placeholder(&range, rest),
            TokenKind::Separator => self.separator(range),
            TokenKind::FragmentOpen => self.open_fragment(range),
            TokenKind::TightFragmentOpen => {
                self.fault(FaultKind::TightFragment, range.clone());
                self.open_fragment(range);
            }
            TokenKind::FragmentClose => self.close_fragment(range),
            TokenKind::Native => self.fault(FaultKind::NativePlaceholder, range),
            TokenKind::Template => self.fault(FaultKind::Template, range),
            TokenKind::ExecutableComment => self.fault(FaultKind::ExecutableComment, range),
            TokenKind::UnclosedQuote => self.fault(FaultKind::UnclosedQuote, opening),
            TokenKind::UnclosedComment => self.fault(FaultKind::UnclosedComment, opening),
        }
        0
    }

    fn push_text(&mut self, range: &Range<usize>) {
        if !self.ended {
            self.push_str(self.slice(range));
        }
    }

    pub(super) fn push_str(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(before)) => before.push_str(text),
            Some(_) | None => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    fn push_word(&mut self, range: &Range<usize>, rest: &[Token]) {
        let [before, ..] = &self.recent;
        self.words.push(Word {
            upper: self.slice(range).to_ascii_uppercase(),
            range: range.clone(),
            before: before.clone(),
            after: next(rest).map(|token| self.slice(&token.range).to_owned()).unwrap_or_default(),
            depth: self.parentheses.len(),
            is_certain: self.place == Place::Statement && self.fragment.is_none(),
            place: self.place.clone(),
        });
    }

    fn find_quoted_names(&mut self, range: &Range<usize>) {
        for (at, _) in self.slice(range).match_indices(':') {
            let rest = self.text.get(range.start + at + 1..range.end).unwrap_or_default();
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let name = rest.get(..end).unwrap_or_default();
            if self.scope.params.contains_key(name) {
                let start = range.start + at;
                self.quoted.push((name.to_owned(), start..start + 1 + end));
            }
        }
    }

    pub(super) fn parenthesis(&mut self, range: &Range<usize>) {
        let outside = self.fragment.as_ref().map_or(0, |fragment| fragment.parentheses);
        match self.slice(range) {
            "(" => self.parentheses.push(range.clone()),
            ")" if self.parentheses.len() > outside => {
                self.parentheses.pop();
            }
            ")" => self.fault(FaultKind::UnbalancedParenthesis, range.clone()),
            _ => {}
        }
    }

    fn separator(&mut self, range: Range<usize>) {
        if self.fragment.is_some() || self.place != Place::Statement {
            self.fault(FaultKind::Separator, range);
        } else if self.leading.is_some() {
            self.ended = true;
        }
    }

    fn open_fragment(&mut self, range: Range<usize>) {
        if self.place != Place::Statement {
            self.fault(FaultKind::FragmentInChoice, range);
        } else if self.fragment.is_some() {
            self.fault(FaultKind::NestedFragment, range);
        } else {
            self.fragment = Some(OpenFragment {
                range,
                outer: std::mem::take(&mut self.pieces),
                needs: Vec::new(),
                parentheses: self.parentheses.len(),
            });
        }
    }

    fn close_fragment(&mut self, range: Range<usize>) {
        let Some(fragment) = self.fragment.take() else {
            // The end of a nested fragment is part of the fault that is already told.
            let is_told = |fault: &Fault| matches!(fault.kind, FaultKind::NestedFragment | FaultKind::FragmentInChoice);
            if !self.faults.iter().any(is_told) {
                self.fault(FaultKind::UnopenedFragment, range);
            }
            return;
        };
        for open in self.parentheses.split_off(fragment.parentheses.min(self.parentheses.len())) {
            self.fault(FaultKind::UnbalancedParenthesis, open);
        }
        if fragment.needs.is_empty() {
            self.fault(FaultKind::FragmentWithoutParam, fragment.range.start..range.end);
        }
        let pieces = std::mem::replace(&mut self.pieces, fragment.outer);
        self.pieces.push(Piece::Fragment { pieces, needs: fragment.needs });
    }

    /// Where the first token has a fault of its own, that it is no keyword says nothing new.
    pub(super) fn is_news(&self, fault: &Fault) -> bool {
        fault.kind != FaultKind::NoLeadingKeyword
            || !self.faults.iter().any(|other| other.range.start == fault.range.start)
    }

    fn finish(&mut self) {
        // What an unclosed quote has swallowed is not missing.
        let is_cut = |fault: &Fault| matches!(fault.kind, FaultKind::UnclosedQuote | FaultKind::UnclosedComment);
        if self.faults.iter().any(is_cut) {
            return;
        }
        for open in std::mem::take(&mut self.parentheses) {
            self.fault(FaultKind::UnbalancedParenthesis, open);
        }
        if let Some(fragment) = self.fragment.take() {
            self.fault(FaultKind::UnclosedFragment, fragment.range);
        }
        if let Some(Piece::Text(last)) = self.pieces.last_mut() {
            last.truncate(last.trim_end().len());
        }
        if self.leading.is_none() && self.place == Place::Statement && self.faults.is_empty() {
            self.fault(FaultKind::Empty, 0..self.text.len());
        }
    }
}

/// The next token that the engine sees.
pub(super) fn next(rest: &[Token]) -> Option<&Token> {
    rest.iter().find(|token| token.kind.is_significant())
}
