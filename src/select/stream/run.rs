//! Floor 2. One pass over one document: follows the steps, and writes what stands at their end.

use std::mem;

use serde_json::Value;

use super::{
    super::{
        Convert,
        scan::{Names, Scanner, differ, is_whole},
    },
    Fields, Kept, Step, Stream, Streamed,
    fill::Found,
};

/// What is kept of a list is seldom more than this part of the document.
const PART_KEPT: usize = 4;

/// One pass over one document.
pub(super) struct Run<'s, 'd> {
    stream: &'s Stream,
    document: &'d [u8],
    max_items: usize,
    out: Streamed,
    /// Names of the objects that are being copied, to find those that stand twice.
    names: Names<'d>,
    /// Where the fields of the item stand that is being read.
    found: Vec<Vec<std::ops::Range<usize>>>,
}

impl<'s, 'd> Run<'s, 'd> {
    pub(super) fn new(stream: &'s Stream, document: &'d [u8], max_items: usize) -> Self {
        let fields = stream.fields.as_ref().map_or(0, |fields| fields.all.len());
        let json = Vec::with_capacity(document.len() / PART_KEPT);
        // A path that can find several values yields a list, also of none.
        let ends = (!stream.is_singular).then(Vec::new);
        let out = Streamed { json, ends, total: 0 };
        Self { stream, document, max_items, out, names: Vec::new(), found: vec![Vec::new(); fields] }
    }

    pub(super) fn whole(mut self) -> Option<Streamed> {
        let mut reader = Scanner::new(self.document);
        self.descend(&mut reader, &self.stream.steps)?;
        if !reader.is_over() {
            return None;
        }
        if self.out.ends.is_none() && self.out.total == 0 {
            self.nothing()?;
        }
        Some(self.out)
    }

    /// Follows the steps; what is not of their kind is passed over.
    fn descend(&mut self, reader: &mut Scanner<'d>, steps: &'s [Step]) -> Option<()> {
        let Some((step, rest)) = steps.split_first() else { return self.arrive(reader) };
        match (step, reader.peek()?) {
            (Step::Name(wanted), b'{') => {
                let mut is_met = false;
                reader.members(|inner, name| {
                    if *name.name()? != *wanted.as_bytes() {
                        return inner.skip();
                    }
                    // Of two with one name the last counts, which the tree knows.
                    if mem::replace(&mut is_met, true) { None } else { self.descend(inner, rest) }
                })
            }
            (Step::Names(wanted), b'{') => self.each_name(reader, wanted, rest),
            (Step::Index(wanted), b'[') => {
                reader.items(|inner, number| if number == *wanted { self.descend(inner, rest) } else { inner.skip() })
            }
            (Step::Every, b'[') => reader.items(|inner, _| self.descend(inner, rest)),
            (Step::Every, b'{') => {
                let mut own = Vec::new();
                reader.members(|inner, name| {
                    own.push(name.name()?);
                    self.descend(inner, rest)
                })?;
                differ(&mut own, 0).then_some(())
            }
            _ => reader.skip(),
        }
    }

    /// Members in the order of the path, which is another than that of the document.
    fn each_name(&mut self, reader: &mut Scanner<'d>, wanted: &[String], rest: &'s [Step]) -> Option<()> {
        let mut places = vec![None; wanted.len()];
        reader.members(|inner, name| {
            let name = name.name()?;
            inner.peek()?;
            for (place, wanted) in places.iter_mut().zip(wanted) {
                if *name == *wanted.as_bytes() && place.replace(*inner).is_some() {
                    return None;
                }
            }
            inner.skip()
        })?;
        places.iter_mut().flatten().try_for_each(|place| self.descend(place, rest))
    }

    /// Takes what the path has found.
    fn arrive(&mut self, reader: &mut Scanner<'d>) -> Option<()> {
        if !self.stream.is_singular {
            return self.item(reader);
        }
        if reader.peek()? == b'[' {
            self.out.ends = Some(Vec::new());
            return reader.items(|inner, _| self.item(inner));
        }
        self.out.total = 1;
        self.write(reader)
    }

    fn item(&mut self, reader: &mut Scanner<'d>) -> Option<()> {
        self.out.total += 1;
        if self.out.total > self.max_items {
            return reader.skip();
        }
        if self.out.total > 1 {
            self.out.json.push(b',');
        }
        self.write(reader)?;
        let end = self.out.json.len();
        self.out.ends.as_mut()?.push(end);
        Some(())
    }

    fn write(&mut self, reader: &mut Scanner<'d>) -> Option<()> {
        let Some(fields) = &self.stream.fields else { return reader.copy(&mut self.out.json, &mut self.names) };
        self.found.iter_mut().for_each(Vec::clear);
        fields.root.fill(reader, &mut self.found)?;
        self.object(fields)
    }

    /// What a path to one value yields where it finds none: as if null stood there.
    fn nothing(&mut self) -> Option<()> {
        self.out.total = 1;
        self.document = b"null";
        self.write(&mut Scanner::new(self.document))
    }

    /// Appends an item of the fields that were found.
    fn object(&mut self, fields: &Fields) -> Option<()> {
        self.out.json.push(b'{');
        for (slot, field) in fields.all.iter().enumerate() {
            if slot > 0 {
                self.out.json.push(b',');
            }
            self.out.json.extend_from_slice(field.key.as_bytes());
            if field.is_singular { self.one(field, slot)? } else { self.many(field, slot)? }
        }
        self.out.json.push(b'}');
        Some(())
    }

    fn one(&mut self, field: &Kept, slot: usize) -> Option<()> {
        match piece(self.document, &self.found, slot, 0) {
            Some(raw) if self.converted(field, raw)? => return Some(()),
            _ => {}
        }
        let default = field.default.as_deref().unwrap_or("null");
        self.out.json.extend_from_slice(default.as_bytes());
        Some(())
    }

    fn many(&mut self, field: &Kept, slot: usize) -> Option<()> {
        let count = self.found.get(slot)?.len();
        if let (0, Some(default)) = (count, &field.default) {
            self.out.json.extend_from_slice(default.as_bytes());
            return Some(());
        }
        self.out.json.push(b'[');
        for number in 0..count {
            if number > 0 {
                self.out.json.push(b',');
            }
            let raw = piece(self.document, &self.found, slot, number)?;
            if !self.converted(field, raw)? {
                self.out.json.extend_from_slice(b"null");
            }
        }
        self.out.json.push(b']');
        Some(())
    }

    /// Appends a value as the field wants it. Whether there is such a value.
    fn converted(&mut self, field: &Kept, raw: &'d [u8]) -> Option<bool> {
        let out = &mut self.out.json;
        match field.convert {
            None => Scanner::new(raw).copy(out, &mut self.names)?,
            Some(Convert::Number) if is_whole(raw) => out.extend_from_slice(raw),
            Some(Convert::String) if is_whole(raw) => {
                out.push(b'"');
                out.extend_from_slice(raw);
                out.push(b'"');
            }
            Some(convert) => {
                let value: Value = serde_json::from_slice(raw).ok()?;
                let Some(converted) = convert.apply(&value) else { return Some(false) };
                serde_json::to_writer(out, &converted).ok()?;
            }
        }
        Some(true)
    }
}

/// One of the values that were found for a field.
fn piece<'d>(document: &'d [u8], found: &Found, slot: usize, number: usize) -> Option<&'d [u8]> {
    document.get(found.get(slot)?.get(number)?.clone())
}
