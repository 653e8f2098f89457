//! The fields of one line that stands for itself, where they lie: between commas where there is no quote in it, or split before. Knows
//! nothing of what they mean.

use csv::ByteRecord;
use memchr::{memchr, memchr_iter, memchr2};

/// A line by its fields.
pub(super) trait Fields {
    /// How far one reading from the left to the right has come.
    type Cursor;

    fn count(&self) -> usize;

    /// The field at a position that the line has.
    fn field(&self, at: usize) -> &[u8];

    fn all(&self) -> impl Iterator<Item = &[u8]>;

    /// Whether the line may be this header: it is not where this says no.
    fn is_header(&self, header: &HeaderText) -> bool;

    fn cursor(&self) -> Self::Cursor;

    /// What begins with the field at a position, which is not to the left of the last one.
    fn from<'l>(&'l self, cursor: &mut Self::Cursor, at: usize) -> &'l [u8];

    /// Whether the field ends after so many bytes of what begins with it.
    fn is_end(&self, rest: &[u8], length: usize) -> bool;

    /// The field alone of what begins with it.
    fn cut<'l>(&self, rest: &'l [u8]) -> &'l [u8];
}

/// A header, for comparison.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HeaderText {
    names: Vec<Vec<u8>>,
    /// As it would stand in the object without quotes.
    line: Vec<u8>,
}

impl HeaderText {
    pub fn new(names: &ByteRecord) -> Self {
        let names: Vec<Vec<u8>> = names.iter().map(<[u8]>::to_vec).collect();
        Self { line: names.join(&b','), names }
    }
}

/// A line without a quote.
impl Fields for &[u8] {
    /// The position of a field, and where it begins.
    type Cursor = (usize, usize);

    fn count(&self) -> usize {
        memchr_iter(b',', self).count() + 1
    }

    fn field(&self, at: usize) -> &[u8] {
        self.cut(self.from(&mut (0, 0), at))
    }

    fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.split(|byte| *byte == b',')
    }

    fn is_header(&self, header: &HeaderText) -> bool {
        header.line == *self
    }

    fn cursor(&self) -> (usize, usize) {
        (0, 0)
    }

    fn from<'l>(&'l self, (position, start): &mut (usize, usize), at: usize) -> &'l [u8] {
        let rest = self.get(*start..).unwrap_or_default();
        let Some(commas) = at.checked_sub(*position + 1) else { return rest };
        let begin = memchr_iter(b',', rest).nth(commas).map_or(rest.len(), |comma| comma + 1);
        (*position, *start) = (at, *start + begin);
        rest.get(begin..).unwrap_or_default()
    }

    fn is_end(&self, rest: &[u8], length: usize) -> bool {
        matches!(rest.get(length), None | Some(b','))
    }

    fn cut<'l>(&self, rest: &'l [u8]) -> &'l [u8] {
        memchr(b',', rest).and_then(|end| rest.get(..end)).unwrap_or(rest)
    }
}

/// A line that was split.
impl Fields for &[&[u8]] {
    type Cursor = ();

    fn count(&self) -> usize {
        self.len()
    }

    fn field(&self, at: usize) -> &[u8] {
        self.get(at).copied().unwrap_or_default()
    }

    fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.iter().copied()
    }

    fn is_header(&self, header: &HeaderText) -> bool {
        header.names.iter().map(Vec::as_slice).eq(self.iter().copied())
    }

    fn cursor(&self) {}

    fn from<'l>(&'l self, (): &mut (), at: usize) -> &'l [u8] {
        self.field(at)
    }

    fn is_end(&self, rest: &[u8], length: usize) -> bool {
        length == rest.len()
    }

    fn cut<'l>(&self, rest: &'l [u8]) -> &'l [u8] {
        rest
    }
}

/// Splits a line in which every quote opens or closes a field; `false` for any other.
pub(super) fn split_quoted<'l>(line: &'l [u8], fields: &mut Vec<&'l [u8]>) -> bool {
    fields.clear();
    let mut rest = line;
    loop {
        let (field, after) = if let Some(quoted) = rest.strip_prefix(b"\"") {
            let Some((field, after)) = memchr(b'"', quoted).and_then(|end| quoted.split_at_checked(end)) else { return false };
            (field, after.get(1..).unwrap_or_default())
        } else {
            rest.split_at_checked(memchr2(b',', b'"', rest).unwrap_or(rest.len())).unwrap_or((rest, b""))
        };
        fields.push(field);
        match after.split_first() {
            None => return true,
            Some((b',', next)) => rest = next,
            Some(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Option<Vec<&str>> {
        let mut fields = Vec::new();
        split_quoted(line.as_bytes(), &mut fields).then(|| fields.iter().map(|field| std::str::from_utf8(field).unwrap()).collect())
    }

    #[test]
    fn fields_are_split_where_quotes_stand_around_them_and_nowhere_else() {
        assert_eq!(split("\"a\",1,\"b, c\",,\"\""), Some(vec!["a", "1", "b, c", "", ""]));
        assert_eq!(split("x,\"y\","), Some(vec!["x", "y", ""]));
        for line in ["\"a", "a\"", "\"a\"b", "a\"b\"", "\"a \"\"b\"\"\"", "\"a\" ,b", "\"a\"\"", "1, \"a\""] {
            assert_eq!(split(line), None, "{line}");
        }
    }

    #[test]
    fn a_line_is_read_from_the_left_to_the_right() {
        let line: &[u8] = b"a,,ccc,d";
        let mut cursor = line.cursor();
        let found = [0, 0, 1, 3, 3].map(|at| line.cut(line.from(&mut cursor, at)));
        assert_eq!(found, [b"a".as_slice(), b"a", b"", b"d", b"d"]);
        assert_eq!((line.count(), line.field(2), Fields::all(&line).count()), (4, b"ccc".as_slice(), 4));
    }
}
