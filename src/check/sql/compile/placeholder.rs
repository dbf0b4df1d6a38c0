//! Floor 4. Turns `:name` into a piece, by what the param is and where it stands.

use std::ops::Range;
use std::sync::Arc;

use super::super::fault::{FaultKind, Place};
use super::super::lexer::{Token, TokenKind};
use super::reader::{Reader, next};
use super::{Outcome, ParamKind};
use crate::plan::sql::{ChoiceOption, Dialect, Piece};

impl<'a> Reader<'a> {
    /// Takes a placeholder and returns how many of the following tokens belong to it.
    pub(super) fn placeholder(&mut self, range: &Range<usize>, rest: &[Token]) -> usize {
        let name = self.slice(range).trim_start_matches(':');
        let Some((name, kind)) = self.scope.params.get_key_value(name) else {
            // It counts as a param, so that a misspelt name is one fault and not two.
            if let Some(fragment) = &mut self.fragment {
                fragment.needs.push(Arc::from(name));
            }
            self.fault(FaultKind::Undeclared { name: name.to_owned() }, range.clone());
            return 0;
        };
        if let ParamKind::Statement(outcome) = kind {
            return self.result((name, *outcome), range, rest);
        }
        let param: Arc<str> = Arc::from(name.as_str());
        self.used.insert(name.clone());
        match &mut self.fragment {
            Some(fragment) if fragment.needs.contains(&param) => {}
            Some(fragment) => fragment.needs.push(Arc::clone(&param)),
            None => {
                self.unguarded.insert(name.clone());
            }
        }
        self.keep_apart(range.start, kind);
        let mut taken = 0;
        match kind {
            ParamKind::Scalar => self.pieces.push(Piece::Bind(param)),
            ParamKind::Like(like) => {
                if let Some((kind, range)) = self.like_fault(name, range, rest) {
                    self.fault(kind, range);
                }
                self.pieces.push(Piece::Like(param, *like));
            }
            ParamKind::List => taken = self.list(param, range, rest),
            ParamKind::Choice(options) => self.choice(name, options, range),
            ParamKind::Statement(_) => {}
        }
        taken
    }

    /// Takes `:name.column`, a value of an earlier statement of the transaction.
    fn result(&mut self, (name, outcome): (&str, Outcome), range: &Range<usize>, rest: &[Token]) -> usize {
        if let Some(fragment) = &mut self.fragment {
            fragment.needs.push(Arc::from(name));
        }
        let mut behind = rest.iter().take(2).map(|token| (token.kind, self.slice(&token.range), token.range.end));
        let (Some((_, ".", _)), Some((TokenKind::Word, column, end))) = (behind.next(), behind.next()) else {
            self.fault(FaultKind::ResultWithoutColumn { name: name.to_owned() }, range.clone());
            return 0;
        };
        let whole = range.start..end;
        let (name, column) = (name.to_owned(), column.to_owned());
        let has_id = self.scope.dialect != Dialect::Postgres;
        match outcome {
            _ if self.fragment.is_some() => self.fault(FaultKind::ResultInFragment { name }, whole),
            Outcome::NotYet => self.fault(FaultKind::ResultNotYet { name }, whole),
            Outcome::Count if column != "affected" && !(has_id && column == "last_insert_id") => {
                self.fault(FaultKind::ResultHasNoRows { name, has_id }, whole);
            }
            Outcome::Rows | Outcome::Count => {
                self.keep_apart(range.start, &ParamKind::Scalar);
                self.pieces.push(Piece::Bind(Arc::from(format!("{name}.{column}"))));
                self.taken.insert(name);
            }
        }
        2
    }

    /// A placeholder right behind a word would become part of it, as in `LIMIT$1`, and a choice
    /// that begins with a sign could make a comment with the sign before it.
    fn keep_apart(&mut self, start: usize, kind: &ParamKind) {
        let before = self.text.get(..start).and_then(|text| text.chars().next_back());
        let is_apart = before.is_none_or(|before| match kind {
            ParamKind::Choice(_) => before.is_whitespace() || matches!(before, '(' | ','),
            ParamKind::Scalar | ParamKind::List | ParamKind::Like(_) | ParamKind::Statement(_) => {
                !before.is_alphanumeric() && !matches!(before, '_' | '$')
            }
        });
        if !is_apart {
            self.push_str(" ");
        }
    }

    fn like_fault(&self, name: &str, range: &Range<usize>, rest: &[Token]) -> Option<(FaultKind, Range<usize>)> {
        let name = name.to_owned();
        let [before, ..] = &self.recent;
        let after = next(rest);
        let is_last =
            after.is_none_or(|token| token.kind != TokenKind::Symbol || matches!(self.slice(&token.range), ")" | ","));
        if !matches!(before.as_str(), "LIKE" | "ILIKE") || !is_last {
            return Some((FaultKind::LikeOutsideLike { name }, range.clone()));
        }
        let escape = after.filter(|token| self.slice(&token.range).eq_ignore_ascii_case("escape"));
        escape.map(|token| (FaultKind::LikeWithEscape { name }, token.range.clone()))
    }

    /// The piece writes the closing parenthesis, so the tokens up to it are taken.
    fn list(&mut self, param: Arc<str>, range: &Range<usize>, rest: &[Token]) -> usize {
        let [last, before, first] = &self.recent;
        let closing = rest.iter().position(|token| token.kind.is_significant());
        let closing = closing.filter(|at| rest.get(*at).is_some_and(|token| self.slice(&token.range) == ")"));
        let is_negated = first == "NOT";
        let (Some(closing), true) = (closing, last == "(" && before == "IN") else {
            // Anywhere else it is an array, where the engine has those.
            if self.scope.dialect == Dialect::Postgres {
                self.pieces.push(Piece::Bind(param));
                return 0;
            }
            self.fault(FaultKind::ListOutsideIn { name: param.to_string() }, range.clone());
            return 0;
        };
        if self.scope.dialect == Dialect::Postgres {
            // One array is one value: the text stays the same however long it is, and so does the plan.
            let [_, begin_in, begin_not] = self.marks;
            if !self.take_back(if is_negated { begin_not } else { begin_in }) {
                self.fault(FaultKind::ListOutsideIn { name: param.to_string() }, range.clone());
                return 0;
            }
            self.push_str(if is_negated { "<> ALL (" } else { "= ANY (" });
            self.pieces.push(Piece::Bind(param));
            self.push_str(")");
        } else {
            self.pieces.push(Piece::List(param));
        }
        if let Some(token) = rest.get(closing) {
            self.parenthesis(&token.range);
        }
        closing + 1
    }

    fn choice(&mut self, name: &str, options: &'a [(String, String)], range: &Range<usize>) {
        if self.place != Place::Statement {
            self.fault(FaultKind::ChoiceInChoice { name: name.to_owned() }, range.clone());
            return;
        }
        if !self.options.contains_key(name) {
            let compiled = options.iter().map(|(key, text)| self.option(name, key, text)).collect();
            self.options.insert(name.to_owned(), compiled);
        }
        let options = self.options.get(name).cloned().unwrap_or_default();
        self.pieces.push(Piece::Choice(Arc::from(name), options));
        let after = self.text.get(range.end..).and_then(|text| text.chars().next());
        if !after.is_none_or(|after| after.is_whitespace() || matches!(after, ')' | ']' | ',' | ';' | ':')) {
            self.push_str(" ");
        }
    }

    fn option(&mut self, param: &str, key: &str, text: &'a str) -> ChoiceOption {
        let place = Place::Choice { param: param.to_owned(), key: key.to_owned() };
        let mut reader = Reader::new(self.scope, text, place);
        reader.read();
        self.faults.extend(reader.faults);
        self.words.extend(reader.words);
        self.used.extend(reader.used);
        self.taken.extend(reader.taken);
        self.unguarded.extend(reader.unguarded);
        ChoiceOption { key: key.to_owned(), pieces: reader.pieces }
    }
}
