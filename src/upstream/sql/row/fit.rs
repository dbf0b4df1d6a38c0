//! Floor 5. A row that alone is larger than a call may give: its longest texts are cut, with a
//! marker that the reader sees, so that the row is never taken for one that is not there. Reference:
//! `sql.md` §9.8.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Cell, EngineRow, Fault, LaidColumn, Stop, write_json, write_value};

/// What a cut text ends with.
pub(in crate::upstream::sql) const MARKER: &str = "… (cut)";

/// The quotes around a text.
pub(in crate::upstream::sql) const QUOTES: usize = 2;

/// How a row was made to fit.
pub(super) enum Fitted {
    /// With some of its texts cut.
    Cut,
    /// Not at all: there is too much beside its texts.
    TooLarge,
}

/// What a cell needs.
struct Measure {
    /// Bytes of its JSON; more than the room for all when it is longer than that.
    size: usize,
    is_text: bool,
}

/// Writes a row with its longest texts cut to the same length, as long as `room` bytes permit.
/// Nothing of it is written when that is not enough.
///
/// # Errors
///
/// When a value is not of the class that the engine says it is of.
pub(super) fn write(
    out: &mut Vec<u8>,
    row: &impl EngineRow,
    columns: &[LaidColumn],
    room: usize,
) -> Result<Fitted, Fault> {
    let Some((cells, rest)) = measured(row, columns, room)? else { return Ok(Fitted::TooLarge) };
    let sizes = cells.iter().filter(|cell| cell.is_text).map(|cell| cell.size).collect();
    let Some(longest) = shared(sizes, rest) else { return Ok(Fitted::TooLarge) };
    let start = out.len();
    for (at, (column, cell)) in columns.iter().zip(&cells).enumerate() {
        out.extend_from_slice(&column.lead);
        if cell.is_text && cell.size > longest {
            write_cut(out, row, at, longest)?;
            continue;
        }
        match write_value(out, row.cell(at)?, (column.shape, room)) {
            Ok(()) => {}
            Err(Stop::Fault(fault)) => return Err(fault),
            Err(Stop::Full) => {
                out.truncate(start);
                return Ok(Fitted::TooLarge);
            }
        }
    }
    out.push(b'}');
    Ok(Fitted::Cut)
}

/// What the cells need, and the room that is left for those with text. `None` when there is none.
fn measured(row: &impl EngineRow, columns: &[LaidColumn], room: usize) -> Result<Option<(Vec<Measure>, usize)>, Fault> {
    let mut rest = room.checked_sub(1);
    let mut cells = Vec::with_capacity(columns.len());
    let mut scratch = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let value = row.cell(at)?;
        let is_text = matches!(value, Cell::Text(_) | Cell::Blob(_));
        scratch.clear();
        let size = match write_value(&mut scratch, value, (column.shape, room)) {
            Ok(()) => scratch.len(),
            Err(Stop::Full) => room.saturating_add(1),
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        let fixed = if is_text { 0 } else { size };
        rest = rest.and_then(|rest| rest.checked_sub(column.lead.len() + fixed));
        if rest.is_none() {
            return Ok(None);
        }
        cells.push(Measure { size, is_text });
    }
    Ok(rest.map(|rest| (cells, rest)))
}

/// The size that texts are cut to so that all of them together fit. `None` when that leaves no room
/// for the marker.
pub(in crate::upstream::sql) fn shared(mut sizes: Vec<usize>, mut room: usize) -> Option<usize> {
    sizes.sort_unstable();
    let count = sizes.len();
    for (at, size) in sizes.into_iter().enumerate() {
        let share = room / (count - at).max(1);
        if size > share {
            return (share >= QUOTES + MARKER.len()).then_some(share);
        }
        room -= size;
    }
    Some(usize::MAX)
}

/// Writes the start of a text or blob and the marker, in `size` bytes at most. Looks at no more of
/// the value than that.
fn write_cut(out: &mut Vec<u8>, row: &impl EngineRow, at: usize, size: usize) -> Result<(), Fault> {
    let room = size.saturating_sub(QUOTES + MARKER.len());
    let mut text = match row.cell(at)? {
        Cell::Blob(bytes) => STANDARD.encode(bytes.get(..room / 4 * 3).unwrap_or(bytes)),
        Cell::Text(text) => start_of(text, room),
        Cell::Null | Cell::Integer(_) | Cell::Real(_) => String::new(),
    };
    text.push_str(MARKER);
    write_json(out, &text);
    Ok(())
}

/// The characters at the start that need `room` bytes at most as JSON.
pub(in crate::upstream::sql) fn start_of(bytes: &[u8], room: usize) -> String {
    // A few bytes more: the last character may not be whole, and is not taken then.
    let start = bytes.get(..room.saturating_add(4)).unwrap_or(bytes);
    let mut left = room;
    let fits = |character: &char| match left.checked_sub(printed(*character)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    String::from_utf8_lossy(start).chars().take_while(fits).collect()
}

/// Bytes of a character in a JSON text.
fn printed(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_texts_share_what_the_others_leave() {
        // (sizes, room, size to cut to)
        let table = [
            (vec![10, 20], 30, Some(usize::MAX)),
            (vec![900], 100, Some(100)),
            (vec![900, 10], 100, Some(90)),
            (vec![900, 10, 800], 100, Some(45)),
            (vec![900, 900], 23, Some(11)),
            (vec![900, 900], 21, None),
            (vec![], 0, Some(usize::MAX)),
        ];
        for (sizes, room, expected) in table {
            assert_eq!(shared(sizes.clone(), room), expected, "{sizes:?} {room}");
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let table: [(&[u8], usize, &str); 7] = [
            (b"abcdef", 3, "abc"),
            ("aéé".as_bytes(), 4, "aé"),
            ("a€".as_bytes(), 3, "a"),
            (b"a\"b", 2, "a"),
            (b"\0\0", 11, "\0"),
            (b"a\xffb", 5, "a\u{fffd}b"),
            ("€€€€".as_bytes(), 6, "€€"),
        ];
        for (bytes, room, expected) in table {
            assert_eq!(start_of(bytes, room), expected, "{bytes:?} {room}");
        }
        for character in (0..0x100).chain([0x20ac, 0x1_f600]).filter_map(char::from_u32) {
            let text = serde_json::to_string(&character).unwrap();
            assert_eq!(printed(character), text.len() - QUOTES, "{character:?}");
        }
    }
}
