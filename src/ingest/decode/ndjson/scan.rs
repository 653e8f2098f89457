//! Scans a line that is one flat JSON object in the plainest form: no escapes, no nested values, no integers of more than 18 digits.
//!
//! Gives nothing for any other line, which the JSON parser has to read, and for any other reason to doubt: what is wrong with a line is
//! the parser's to say.

use memchr::memchr;

use super::value::Slot;

/// What is left of the line. A step that gives nothing leaves the rest in no certain place.
pub(super) struct Scanner<'l> {
    rest: &'l [u8],
}

/// Every integer of so many digits fits 64 bits.
const INTEGER_DIGITS: usize = 18;

impl<'l> Scanner<'l> {
    /// Before the first member.
    pub fn open(line: &'l [u8]) -> Option<Self> {
        let mut scanner = Self { rest: line };
        scanner.skip_space();
        scanner.take(b'{')?;
        scanner.skip_space();
        Some(scanner)
    }

    /// Skips this key and the colon behind it, if they come next.
    pub fn skip_key(&mut self, key: &[u8]) -> bool {
        let start = self.rest;
        let rest = start.strip_prefix(b"\"").and_then(|rest| rest.strip_prefix(key)).and_then(|rest| rest.strip_prefix(b"\""));
        let Some(rest) = rest else { return false };
        self.rest = rest;
        let is_key = self.colon().is_some();
        if !is_key {
            self.rest = start;
        }
        is_key
    }

    /// The next key.
    pub fn key(&mut self) -> Option<&'l str> {
        let key = std::str::from_utf8(self.string()?).ok()?;
        self.colon()?;
        Some(key)
    }

    /// The next value; a text that is needed is appended to `text`.
    pub fn value(&mut self, text: &mut String, is_needed: bool) -> Option<Slot> {
        match self.rest.first()? {
            b'"' => {
                let string = self.string()?;
                if !is_needed {
                    return Some(Slot::Missing);
                }
                let start = text.len();
                text.push_str(std::str::from_utf8(string).ok()?);
                Some(Slot::Text(start..text.len()))
            }
            b't' => self.word(b"true", Slot::Bool(true)),
            b'f' => self.word(b"false", Slot::Bool(false)),
            b'n' => self.word(b"null", Slot::Missing),
            _ => self.number(),
        }
    }

    /// Whether the value was the last of the line; if not, the next key follows.
    pub fn is_last(&mut self) -> Option<bool> {
        self.skip_space();
        if self.take(b',').is_some() {
            self.skip_space();
            return Some(false);
        }
        self.take(b'}')?;
        self.skip_space();
        self.rest.is_empty().then_some(true)
    }

    /// A string without escapes. Whether it is UTF-8 matters only where it is needed.
    fn string(&mut self) -> Option<&'l [u8]> {
        self.take(b'"')?;
        let end = memchr(b'"', self.rest)?;
        let string = self.rest.get(..end)?;
        let is_plain = string.iter().all(|byte| *byte >= 0x20 && *byte != b'\\');
        self.rest = self.rest.get(end + 1..)?;
        is_plain.then_some(string)
    }

    fn word(&mut self, word: &[u8], value: Slot) -> Option<Slot> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(value)
    }

    fn number(&mut self) -> Option<Slot> {
        let unsigned = self.rest.strip_prefix(b"-").unwrap_or(self.rest);
        let whole = unsigned.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // JSON has no zeros before a number.
        if whole == 0 || (whole > 1 && unsigned.first() == Some(&b'0')) {
            return None;
        }
        match unsigned.get(whole) {
            Some(b'.') if !unsigned.get(whole + 1)?.is_ascii_digit() => None,
            Some(b'.' | b'e' | b'E') => self.float(),
            _ if whole > INTEGER_DIGITS => None,
            _ => {
                let is_negative = unsigned.len() < self.rest.len();
                let (digits, rest) = unsigned.split_at_checked(whole)?;
                self.rest = rest;
                let number = digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
                // The parser gives a negative zero as a double.
                (number != 0 || !is_negative).then(|| Slot::Integer(i128::from(if is_negative { -number } else { number })))
            }
        }
    }

    fn float(&mut self) -> Option<Slot> {
        let (number, length) = fast_float2::parse_partial::<f64, _>(self.rest).ok()?;
        self.rest = self.rest.get(length..)?;
        // One that is too large is no JSON.
        number.is_finite().then_some(Slot::Number(number))
    }

    fn colon(&mut self) -> Option<()> {
        self.skip_space();
        self.take(b':')?;
        self.skip_space();
        Some(())
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}
