//! Floor 5. Rows as JSON text within the limits of a call, whatever engine they come from. A first
//! row that alone is too large is shown with its longest texts cut. Reference: `sql.md` §9.8.

use std::ops::ControlFlow;

use super::super::{
    Cut, Limits,
    row::{
        SPARE, Written,
        fit::{MARKER, QUOTES, shared, start_of},
        unique, write_json,
    },
};
use crate::plan::sql::Returns;

/// How many rows a call wants.
pub(in crate::upstream::sql) fn wanted(returns: Returns, limits: Limits) -> usize {
    match returns {
        Returns::Rows => limits.max_rows,
        Returns::Row | Returns::Value => 1,
        Returns::Affected => 0,
    }
}

/// What stands before each value of a row: `{"id":`, `,"total":`.
#[derive(Debug)]
pub(in crate::upstream::sql) struct Leads(Vec<Vec<u8>>);

impl Leads {
    /// The keys are the columns' names, made unique.
    pub(in crate::upstream::sql) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let leads = unique(names).into_iter().enumerate().map(|(at, name)| {
            let mut lead = vec![if at == 0 { b'{' } else { b',' }];
            write_json(&mut lead, &name);
            lead.push(b':');
            lead
        });
        Self(leads.collect())
    }

    /// How many columns there are.
    pub(in crate::upstream::sql) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The values of one row.
pub(in crate::upstream::sql) trait Cells {
    /// Adds the JSON of the value at a column. Of a longer value than `room` bytes nothing need be
    /// added but one byte more than that.
    fn write(&self, at: usize, out: &mut Vec<u8>);

    /// How many bytes the engine gave for it.
    fn size(&self, at: usize) -> usize;
}

/// JSON text that grows row by row.
#[derive(Debug)]
pub(in crate::upstream::sql) struct Rows {
    text: Vec<u8>,
    count: usize,
    limits: Limits,
    cut: Option<Cut>,
    first: First,
}

/// What became of the values of the first row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Whole,
    Cut,
    /// There are so many that not even a cut row fits.
    TooMany,
}

impl Rows {
    pub(in crate::upstream::sql) fn new(limits: Limits) -> Self {
        let mut text = Vec::with_capacity(limits.max_bytes.min(512));
        text.push(b'[');
        Self { text, count: 0, limits, cut: None, first: First::Whole }
    }

    /// The limit that is reached.
    pub(in crate::upstream::sql) fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// Adds the first `columns` values of a row; those of the first row with their texts cut if they
    /// are too large. A break says that a limit is reached: this row is not part of the text, and no
    /// further row will be.
    pub(in crate::upstream::sql) fn push(
        &mut self,
        (leads, columns): (&Leads, usize),
        row: &impl Cells,
    ) -> ControlFlow<()> {
        if self.cut.is_none() && self.count >= self.limits.max_rows {
            self.cut = Some(Cut::Rows);
        }
        if self.cut.is_some() {
            return ControlFlow::Break(());
        }
        let leads = leads.0.get(..columns).unwrap_or(&leads.0);
        let start = self.text.len();
        if self.write(leads, row) {
            self.count += 1;
            return ControlFlow::Continue(());
        }
        self.text.truncate(start);
        if self.count == 0 {
            if self.write_cut(leads, row) {
                (self.count, self.first) = (1, First::Cut);
                return ControlFlow::Continue(());
            }
            self.text.truncate(start);
            self.first = First::TooMany;
        }
        self.cut = Some(Cut::Bytes);
        ControlFlow::Break(())
    }

    /// Whether the row fits.
    fn write(&mut self, leads: &[Vec<u8>], row: &impl Cells) -> bool {
        if self.count > 0 {
            self.text.push(b',');
        }
        for (at, lead) in leads.iter().enumerate() {
            self.text.extend_from_slice(lead);
            // No form is shorter than half of what the engine gives: what cannot fit is not written.
            if row.size(at) / 2 > self.limits.max_bytes.saturating_sub(self.text.len()) {
                return false;
            }
            row.write(at, &mut self.text);
        }
        self.text.extend_from_slice(if leads.is_empty() { b"{}" } else { b"}" });
        // The bracket at the end is part of the text.
        self.text.len() < self.limits.max_bytes
    }

    /// Writes a row with its longest texts cut to the same length. Whether that is enough.
    fn write_cut(&mut self, leads: &[Vec<u8>], row: &impl Cells) -> bool {
        let max = self.limits.max_bytes;
        let room = (max - SPARE.min(max / 4)).saturating_sub("[]".len());
        let cells: Vec<Vec<u8>> = (0..leads.len())
            .map(|at| {
                let mut cell = Vec::new();
                row.write(at, &mut cell);
                cell
            })
            .collect();
        let is_text = |cell: &&Vec<u8>| cell.starts_with(b"\"");
        let fixed = cells.iter().filter(|cell| !is_text(cell)).map(Vec::len);
        let used = fixed.chain(leads.iter().map(Vec::len)).sum::<usize>() + 1;
        let Some(rest) = room.checked_sub(used) else { return false };
        let Some(longest) = shared(cells.iter().filter(is_text).map(Vec::len).collect(), rest) else { return false };
        for (lead, cell) in leads.iter().zip(&cells) {
            self.text.extend_from_slice(lead);
            if cell.len() <= longest || !is_text(&cell) {
                self.text.extend_from_slice(cell);
                continue;
            }
            let whole: String = serde_json::from_slice(cell).unwrap_or_default();
            let mut text = start_of(whole.as_bytes(), longest.saturating_sub(QUOTES + MARKER.len()));
            text.push_str(MARKER);
            write_json(&mut self.text, &text);
        }
        self.text.push(b'}');
        true
    }

    /// The complete text. `None` when there was a row and not even a cut one could be written.
    pub(in crate::upstream::sql) fn finish(mut self) -> Option<Written> {
        self.text.push(b']');
        let Self { text, count, cut, first, .. } = self;
        (first != First::TooMany).then_some(Written { text, count, cut, cells_cut: first == First::Cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Texts(Vec<&'static str>);

    impl Cells for Texts {
        fn write(&self, at: usize, out: &mut Vec<u8>) {
            out.extend_from_slice(self.0[at].as_bytes());
        }

        fn size(&self, at: usize) -> usize {
            self.0[at].len()
        }
    }

    fn written(rows: &[&[&'static str]], max_rows: usize, max_bytes: usize) -> Option<(String, Option<Cut>, bool)> {
        let leads = Leads::new(["a", "a"].into_iter());
        let mut all = Rows::new(Limits { max_rows, max_bytes });
        for row in rows {
            if all.push((&leads, leads.len()), &Texts(row.to_vec())).is_break() {
                break;
            }
        }
        let written = all.finish()?;
        Some((String::from_utf8(written.text).unwrap(), written.cut, written.cells_cut))
    }

    #[test]
    fn rows_are_whole_or_not_there_and_a_large_first_one_is_cut() {
        const LONG: &str =
            "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"";
        let two: &[&[&'static str]] = &[&["1", "\"x\""], &["null", "[1,2]"]];
        let whole = r#"[{"a":1,"a_2":"x"},{"a":null,"a_2":[1,2]}]"#;
        assert_eq!(written(two, 9, 99), Some((whole.into(), None, false)));
        assert_eq!(written(two, 1, 99), Some((r#"[{"a":1,"a_2":"x"}]"#.into(), Some(Cut::Rows), false)));
        assert_eq!(written(two, 9, whole.len()), Some((whole.into(), None, false)));
        assert_eq!(written(two, 9, whole.len() - 1).unwrap().1, Some(Cut::Bytes));
        assert_eq!(written(&[], 9, 99), Some(("[]".into(), None, false)));
        let (text, cut, cells_cut) = written(&[&["1", LONG]], 9, 64).unwrap();
        assert!(text.ends_with("… (cut)\"}]") && text.len() < 64 && cells_cut, "{text}");
        assert_eq!(cut, None);
        assert_eq!(written(&[&["123456789123456789", "123456789123456789"]], 9, 30), None);
    }
}
