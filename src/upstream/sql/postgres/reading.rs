//! Floor 5. The rows of one statement on their way from a PostgreSQL server to the answer, within
//! the limits of the call.

use std::{io, ops::Range, sync::Arc};

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::DataRowBody;

use super::{
    super::{
        Cut, Limits,
        remote::{Cells, Rows, wanted},
    },
    binary::Packed,
    connection::{Columns, Field},
    shape::Shape,
    text,
};
use crate::plan::sql::Returns;

/// How many bytes of rows that nobody wants are read before the server is told to stop. Telling
/// takes a connection of its own, which costs more than reading these.
const MAX_UNWANTED: usize = 128 << 10;

/// Rows on their way.
pub(super) struct Reading<'a> {
    columns: Option<&'a Columns>,
    returns: Returns,
    pub(super) rows: Rows,
    /// Statements of ours that answer before the one that is read.
    before: usize,
    /// Whether a read stops where a limit is reached. A write goes on to its end.
    stops: Stops,
    unwanted: usize,
    ranges: Vec<Option<Range<usize>>>,
    /// What the server says that the statement did.
    tag: Option<String>,
    fields_changed: Changed,
    form: Form,
    /// The columns whose values in the first row later statements of the transaction take.
    taken: Vec<usize>,
    /// These values, as the server wrote them; `None` before the first row.
    pub(super) first: Option<Vec<Option<String>>>,
}

/// Whether the server may be told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stops {
    AtLimits,
    AtTheEnd,
}

/// How values come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    /// In a binary form, where the column has one.
    Packed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changed {
    No,
    Yes,
}

impl<'a> Reading<'a> {
    pub(super) fn new(columns: Option<&'a Columns>, (returns, limits): (Returns, Limits), stops: Stops) -> Self {
        let max_rows = wanted(returns, limits);
        Self {
            columns,
            returns,
            rows: Rows::new(Limits { max_rows, ..limits }),
            before: 0,
            stops,
            unwanted: 0,
            ranges: Vec::new(),
            tag: None,
            fields_changed: Changed::No,
            form: Form::Text,
            taken: Vec::new(),
            first: None,
        }
    }

    /// Keeps the values at these columns of the first row as they are.
    pub(super) fn taking(mut self, columns: Vec<usize>) -> Self {
        self.taken = columns;
        self
    }

    /// So many statements of ours answer first.
    pub(super) fn expect(&mut self, before: usize) {
        self.before = before;
    }

    /// The rows come in this form.
    pub(super) fn comes(&mut self, form: Form) {
        self.form = form;
    }

    /// A statement is at its end.
    pub(super) fn step(&mut self, tag: &str) {
        if self.before > 0 {
            self.before -= 1;
        } else if self.tag.is_none() {
            self.tag = Some(tag.to_owned());
        }
    }

    /// The columns as they are now, where the server tells them with each run.
    pub(super) fn describe(&mut self, fields: &[Field]) {
        if self.before == 0 && self.columns.is_none_or(|columns| columns.fields != fields) {
            self.fields_changed = Changed::Yes;
        }
    }

    pub(super) fn is_changed(&self) -> bool {
        self.fields_changed == Changed::Yes
    }

    /// A row. One that nobody wants is counted.
    ///
    /// # Errors
    ///
    /// When it is not of the form that rows have.
    pub(super) fn row(&mut self, row: &DataRowBody) -> io::Result<()> {
        let (0, Some(columns), None, Changed::No) = (self.before, self.columns, &self.tag, self.fields_changed) else {
            return Ok(());
        };
        if !self.taken.is_empty() && self.first.is_none() {
            let ranges: Vec<_> = row.ranges().collect()?;
            let text = |at: &usize| {
                let bytes = row.buffer().get(ranges.get(*at)?.clone()?)?;
                Some(String::from_utf8_lossy(bytes).into_owned())
            };
            self.first = Some(self.taken.iter().map(text).collect());
        }
        if self.rows.cut().is_some() || self.returns == Returns::Affected {
            self.unwanted = self.unwanted.saturating_add(row.buffer().len());
            return Ok(());
        }
        self.ranges.clear();
        let mut ranges = row.ranges();
        while let Some(range) = ranges.next()? {
            self.ranges.push(range);
        }
        if self.ranges.len() != columns.leads.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let take = if self.returns == Returns::Value { 1 } else { columns.leads.len() };
        let packed = if self.form == Form::Packed { columns.packed.as_slice() } else { &[] };
        let cells = Row { buffer: row.buffer(), ranges: &self.ranges, shapes: &columns.shapes, packed };
        if !cells.is_whole() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let _ = self.rows.push((&columns.leads, take), &cells);
        Ok(())
    }

    /// Whether more comes than is worth reading to the end.
    pub(super) fn is_flooded(&self) -> bool {
        self.stops == Stops::AtLimits && self.unwanted > MAX_UNWANTED
    }

    /// Whether there were more rows than are wanted.
    pub(super) fn is_over(&self) -> bool {
        self.rows.cut() == Some(Cut::Rows)
    }

    /// How many rows a change affected, by what the server says.
    pub(super) fn affected(&self) -> u64 {
        self.counted(&["INSERT", "UPDATE", "DELETE", "MERGE"])
    }

    /// How many rows a statement affected, or found where it only reads.
    pub(super) fn came_to(&self) -> u64 {
        self.counted(&["INSERT", "UPDATE", "DELETE", "MERGE", "SELECT"])
    }

    fn counted(&self, kinds: &[&str]) -> u64 {
        let mut words = self.tag.as_deref().unwrap_or_default().split(' ');
        if !words.next().is_some_and(|first| kinds.contains(&first)) {
            return 0;
        }
        words.next_back().and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

struct Row<'a> {
    buffer: &'a [u8],
    ranges: &'a [Option<Range<usize>>],
    shapes: &'a [Arc<Shape>],
    packed: &'a [Option<Packed>],
}

impl Row<'_> {
    /// What the server sent for a column; `None` for NULL.
    fn value(&self, at: usize) -> Option<&[u8]> {
        self.buffer.get(self.ranges.get(at)?.clone()?)
    }

    fn is_whole(&self) -> bool {
        let mut packed = self.packed.iter().enumerate().filter_map(|(at, packed)| Some(((*packed)?, self.value(at)?)));
        packed.all(|(packed, value)| packed.holds(value))
    }
}

impl Cells for Row<'_> {
    fn write(&self, at: usize, out: &mut Vec<u8>) {
        match (self.packed.get(at), self.value(at), self.shapes.get(at)) {
            (Some(Some(packed)), Some(value), _) => packed.write(out, value),
            (_, value, Some(shape)) => text::write(out, value, shape),
            (_, _, None) => {}
        }
    }

    fn size(&self, at: usize) -> usize {
        self.value(at).map_or(0, <[u8]>::len)
    }
}
