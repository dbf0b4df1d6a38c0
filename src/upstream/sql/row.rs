//! Floor 5. Rows as JSON text, written straight from the engine's values while they arrive, within
//! the limits of the call. Which JSON a value becomes: reference `sql.md` §9.1.

pub(super) mod fit;

use std::{collections::HashSet, ops::ControlFlow};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::Value;

use self::fit::Fitted;
use super::{Cut, Limits};

/// The largest integer that every JSON reader takes exactly: 2^53 − 1.
pub(super) const MAX_EXACT: u64 = (1 << 53) - 1;

/// How deep a JSON value from a column may nest, so that the reader of the whole, which gives up at
/// 128, always comes to its end.
const MAX_DEPTH: usize = 100;

/// How the values of a column are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// As their storage class says.
    Plain,
    /// The integers 0 and 1 are `false` and `true`.
    Boolean,
    /// Text that is JSON stands as it is.
    Json,
}

/// The columns of a statement, made ready once for all its rows.
#[derive(Debug)]
pub(super) struct Layout {
    columns: Vec<LaidColumn>,
}

#[derive(Debug)]
struct LaidColumn {
    name: String,
    /// What stands before the value: `{"id":` or `,"id":`.
    lead: Vec<u8>,
    shape: Shape,
}

impl Layout {
    /// The layout of columns with these names and shapes.
    pub(super) fn new(columns: &[(&str, Shape)]) -> Self {
        let names = unique(columns.iter().map(|(name, _)| *name));
        let laid = columns.iter().zip(names).enumerate();
        let columns = laid
            .map(|(at, ((name, shape), unique))| {
                let mut lead = vec![if at == 0 { b'{' } else { b',' }];
                write_json(&mut lead, &unique);
                lead.push(b':');
                LaidColumn { name: (*name).to_owned(), lead, shape: *shape }
            })
            .collect();
        Self { columns }
    }

    /// Whether this layout was made for columns with these names.
    pub(super) fn fits<'a>(&self, names: impl ExactSizeIterator<Item = &'a str>) -> bool {
        names.len() == self.columns.len() && names.zip(&self.columns).all(|(name, laid)| name == laid.name)
    }
}

/// A value as its engine holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Integer(i64),
    Real(f64),
    /// Text, which may not be UTF-8 after all.
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

/// One row as its engine holds it.
pub(super) trait EngineRow {
    /// The value in a column, counted from 0.
    ///
    /// # Errors
    ///
    /// When there is no such column or its value cannot be read.
    fn cell(&self, at: usize) -> Result<Cell<'_>, Fault>;
}

/// Why a value could not be read, in the driver's words.
pub(super) type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Names for the keys of one object: a second `a` is `a_2`, a column without a name `column_1`.
pub(super) fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: Vec<&str> = names.collect();
    let mut taken: HashSet<String> = HashSet::with_capacity(names.len());
    let mut given = Vec::with_capacity(names.len());
    for (at, name) in names.iter().enumerate() {
        let base = if name.is_empty() { format!("column_{}", at + 1) } else { (*name).to_owned() };
        let mut key = base.clone();
        // A made name gives way to a column that is really called so.
        let is_free = |key: &str| !taken.contains(key) && (key == *name || !names.contains(&key));
        let mut number = 2_usize;
        while !is_free(&key) && number <= 2 * names.len() + 2 {
            key = format!("{base}_{number}");
            number += 1;
        }
        taken.insert(key.clone());
        given.push(key);
    }
    given
}

/// As [`unique`], each with the name it had, where that is another.
pub(super) fn renamed<'a>(names: impl Iterator<Item = &'a str>) -> Vec<(String, Option<String>)> {
    let names: Vec<&str> = names.collect();
    let unique = unique(names.iter().copied()).into_iter();
    let pairs = unique.zip(names).map(|(name, given)| {
        let given = (given != name).then(|| given.to_owned());
        (name, given)
    });
    pairs.collect()
}

/// Which columns of a row are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    /// All.
    All,
    /// The first.
    First,
}

impl Take {
    /// How many columns that is.
    fn of(self, layout: &Layout) -> usize {
        match self {
            Self::All => layout.columns.len(),
            Self::First => 1,
        }
    }
}

/// What a row with cut texts leaves free at most: those who shape it add a few words, and must not
/// cut once more.
pub(super) const SPARE: usize = 192;

/// JSON text that grows row by row.
#[derive(Debug)]
pub(super) struct JsonRows {
    text: Vec<u8>,
    count: usize,
    limits: Limits,
    cut: Option<Cut>,
    cells: Cells,
}

/// Rows that are complete.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) text: Vec<u8>,
    pub(super) count: usize,
    /// The limit that kept further rows out.
    pub(super) cut: Option<Cut>,
    pub(super) cells_cut: bool,
}

/// What became of the values of the first row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cells {
    Whole,
    Cut,
    /// There are so many that not even a cut row fits.
    TooMany,
}

/// Why a value was not written.
enum Stop {
    Full,
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl JsonRows {
    /// Rows that will be about as long as those of the last time.
    pub(super) fn new(bytes: usize, limits: Limits) -> Self {
        // The rest is for what those who shape the rows write around them.
        let mut text = Vec::with_capacity(limits.max_bytes.min(bytes + bytes / 8 + 256));
        text.push(b'[');
        Self { text, count: 0, limits, cut: None, cells: Cells::Whole }
    }

    /// Bytes of the text so far.
    pub(super) const fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Adds a row; the first one with its texts cut if it is too large. A break says that a limit is
    /// reached: this row is not part of the text, and no further row will be.
    ///
    /// # Errors
    ///
    /// When a value is not of the class that the engine says it is of.
    pub(super) fn push(&mut self, row: &impl EngineRow, layout: &Layout, take: Take) -> Result<ControlFlow<()>, Fault> {
        if self.cut.is_some() {
            return Ok(ControlFlow::Break(()));
        }
        if self.count >= self.limits.max_rows {
            self.cut = Some(Cut::Rows);
            return Ok(ControlFlow::Break(()));
        }
        let start = self.text.len();
        match self.write(row, layout, take) {
            Ok(()) => {
                self.count += 1;
                Ok(ControlFlow::Continue(()))
            }
            Err(Stop::Full) => {
                self.text.truncate(start);
                self.fit(row, layout, take)
            }
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    /// Adds a row that is too large, if it is the first.
    fn fit(&mut self, row: &impl EngineRow, layout: &Layout, take: Take) -> Result<ControlFlow<()>, Fault> {
        if self.count == 0 {
            let max = self.limits.max_bytes;
            let room = (max - SPARE.min(max / 4)).saturating_sub("[]".len());
            let columns = layout.columns.get(..take.of(layout)).unwrap_or(&layout.columns);
            match fit::write(&mut self.text, row, columns, room)? {
                Fitted::Cut => {
                    self.count = 1;
                    self.cells = Cells::Cut;
                    return Ok(ControlFlow::Continue(()));
                }
                Fitted::TooLarge => self.cells = Cells::TooMany,
            }
        }
        self.cut = Some(Cut::Bytes);
        Ok(ControlFlow::Break(()))
    }

    fn write(&mut self, row: &impl EngineRow, layout: &Layout, take: Take) -> Result<(), Stop> {
        if self.count > 0 {
            self.text.push(b',');
        }
        for (at, column) in layout.columns.iter().enumerate().take(take.of(layout)) {
            self.text.extend_from_slice(&column.lead);
            // The bracket at the end is part of the text.
            let room = self.limits.max_bytes.saturating_sub(self.text.len() + 1);
            write_value(&mut self.text, row.cell(at)?, (column.shape, room))?;
        }
        self.text.push(b'}');
        if self.text.len() < self.limits.max_bytes { Ok(()) } else { Err(Stop::Full) }
    }

    /// The complete text. `None` when there was a row and not even a cut one could be written.
    pub(super) fn finish(mut self) -> Option<Written> {
        self.text.push(b']');
        let Self { text, count, cut, cells, .. } = self;
        (cells != Cells::TooMany).then_some(Written { text, count, cut, cells_cut: cells == Cells::Cut })
    }
}

fn write_value(out: &mut Vec<u8>, value: Cell<'_>, (shape, room): (Shape, usize)) -> Result<(), Stop> {
    match value {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Integer(number) => write_integer(out, number, shape),
        Cell::Real(number) => write_real(out, number),
        // A value that cannot fit is not copied: memory stays within the limit.
        Cell::Text(bytes) | Cell::Blob(bytes) if bytes.len() > room => return Err(Stop::Full),
        Cell::Text(text) => write_text(out, text, shape),
        Cell::Blob(bytes) => {
            out.push(b'"');
            out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            out.push(b'"');
        }
    }
    Ok(())
}

fn write_integer(out: &mut Vec<u8>, number: i64, shape: Shape) {
    match (shape, number) {
        (Shape::Boolean, 0) => out.extend_from_slice(b"false"),
        (Shape::Boolean, 1) => out.extend_from_slice(b"true"),
        _ if number.unsigned_abs() <= MAX_EXACT => write_json(out, &number),
        _ => write_json(out, &number.to_string()),
    }
}

fn write_real(out: &mut Vec<u8>, number: f64) {
    if number.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if number.is_infinite() {
        let name: &[u8] = if number > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" };
        out.extend_from_slice(name);
    } else {
        write_json(out, &number);
    }
}

fn write_text(out: &mut Vec<u8>, bytes: &[u8], shape: Shape) {
    match std::str::from_utf8(bytes) {
        Ok(text) if shape == Shape::Json && is_safe_json(text) => {
            out.extend_from_slice(text.trim_ascii().as_bytes());
        }
        Ok(text) => write_json(out, text),
        Err(_) => write_json(out, &String::from_utf8_lossy(bytes)),
    }
}

/// Whether the text is JSON that a reader of the whole answer will take: within its depth and
/// number range, too.
pub(super) fn is_safe_json(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| {
        let mut level = vec![&value];
        for _ in 0..MAX_DEPTH {
            level = level.into_iter().flat_map(children).collect();
            if level.is_empty() {
                return true;
            }
        }
        false
    })
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Writes a string or a finite number. Neither that nor a `Vec` can fail; JSON stays valid anyway.
pub(super) fn write_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}
