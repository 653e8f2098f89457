//! Numbers packed into bytes: small ones into few, one after the other, without names. What packs decides the order, and what unpacks
//! repeats it.

/// Packs numbers.
#[derive(Clone, Debug, Default)]
pub struct Packer {
    bytes: Vec<u8>,
}

impl Packer {
    /// Seven bits a byte, the lowest first (LEB128).
    pub fn unsigned(&mut self, mut value: u128) {
        loop {
            let [low, ..] = value.to_le_bytes();
            value >>= 7;
            let more = if value > 0 { 0x80 } else { 0 };
            self.bytes.push(low & 0x7F | more);
            if value == 0 {
                return;
            }
        }
    }

    pub fn count(&mut self, value: u64) {
        self.unsigned(value.into());
    }

    pub fn length(&mut self, value: usize) {
        self.unsigned(value as u128);
    }

    /// The sign goes into the lowest bit.
    pub fn signed(&mut self, value: i128) {
        self.unsigned((value << 1 ^ value >> 127).cast_unsigned());
    }

    /// All bits of a double.
    pub fn double(&mut self, value: f64) {
        self.bytes.extend(value.to_le_bytes());
    }

    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// With their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// What another has packed, with its length: it can be unpacked for itself.
    pub fn part(&mut self, part: &Self) {
        self.bytes(&part.bytes);
    }

    /// Bytes packed.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// More rows than any log has: 2^44.
pub const MOST_ROWS: u64 = 1 << 44;

/// Gives packed numbers back; nothing where they end too early or are none.
#[derive(Clone, Copy, Debug)]
pub struct Unpacker<'a> {
    rest: &'a [u8],
}

impl<'a> Unpacker<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn unsigned(&mut self) -> Option<u128> {
        let mut value = 0;
        for shift in (0..u128::BITS).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            let bits = u128::from(byte & 0x7F);
            value |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub fn count(&mut self) -> Option<u64> {
        // Most numbers are of one byte.
        if let Some((byte, rest)) = self.rest.split_first()
            && byte & 0x80 == 0
        {
            self.rest = rest;
            return Some(u64::from(*byte));
        }
        u64::try_from(self.unsigned()?).ok()
    }

    /// The number of things that follow, each of at least one byte.
    pub fn length(&mut self) -> Option<usize> {
        usize::try_from(self.count()?).ok().filter(|length| *length <= self.rest.len())
    }

    pub fn signed(&mut self) -> Option<i128> {
        let value = self.unsigned()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub fn double(&mut self) -> Option<f64> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(f64::from_le_bytes(*bytes))
    }

    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// What was packed as a part.
    pub fn part(&mut self) -> Option<Self> {
        self.bytes().map(Self::new)
    }

    /// The bytes of a part, or of a text.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    /// A count of rows, or of something as rare: so small that no sum of them overflows.
    pub fn rows(&mut self) -> Option<u64> {
        self.count().filter(|count| *count < MOST_ROWS)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn low(number: u128) -> u64 {
        u64::try_from(number & u128::from(u64::MAX)).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(numbers in prop::collection::vec(any::<u128>(), 0..20), shift in 0_u32..128, text in ".{0,9}") {
            let mut packer = Packer::default();
            for number in &numbers {
                packer.unsigned(number >> shift);
                packer.signed((number >> shift).cast_signed());
                packer.count(low(number >> shift));
                packer.double(*number as f64);
                packer.text(&text);
            }
            let bytes = packer.into_bytes();
            let mut unpacker = Unpacker::new(&bytes);
            for number in &numbers {
                prop_assert_eq!(unpacker.unsigned(), Some(number >> shift));
                prop_assert_eq!(unpacker.signed(), Some((number >> shift).cast_signed()));
                prop_assert_eq!(unpacker.count(), Some(low(number >> shift)));
                prop_assert_eq!(unpacker.double(), Some(*number as f64));
                prop_assert_eq!(unpacker.text(), Some(text.as_str()));
            }
            prop_assert!(unpacker.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut unpacker = Unpacker::new(&bytes);
            while unpacker.signed().is_some() {}
            let mut unpacker = Unpacker::new(&bytes);
            while unpacker.text().is_some() {}
        }
    }

    fn packed(pack: impl FnOnce(&mut Packer)) -> Vec<u8> {
        let mut packer = Packer::default();
        pack(&mut packer);
        packer.into_bytes()
    }

    #[test]
    fn small_numbers_take_few_bytes() {
        assert_eq!(
            packed(|packer| [0, 1, 127, 128, 300].into_iter().for_each(|number| packer.unsigned(number))),
            [0, 1, 127, 0x80, 1, 0xAC, 2]
        );
        // 0, −1, 1, −2, …
        assert_eq!(
            packed(|packer| [0, -1, 1, -2, 63, -64, 64].into_iter().for_each(|number| packer.signed(number))),
            [0, 1, 2, 3, 126, 127, 0x80, 1]
        );
        assert_eq!(packed(|packer| packer.text("né")), [3, b'n', 0xC3, 0xA9]);
    }

    #[test]
    fn every_count_reads_back_whatever_its_first_byte() {
        for number in (0..1_000).chain([1 << 14, u64::MAX >> 1, u64::MAX]) {
            let bytes = packed(|packer| packer.count(number));
            assert_eq!(Unpacker::new(&bytes).count(), Some(number));
        }
        let large = packed(|packer| packer.unsigned(u128::from(u64::MAX) + 1));
        assert_eq!(Unpacker::new(&large).count(), None);
    }

    #[test]
    fn numbers_that_end_too_early_or_are_too_large_are_none() {
        assert_eq!(Unpacker::new(&[]).unsigned(), None);
        assert_eq!(Unpacker::new(&[0x80]).unsigned(), None);
        let most = packed(|packer| packer.unsigned(u128::MAX));
        assert_eq!((most.len(), Unpacker::new(&most).unsigned()), (19, Some(u128::MAX)));
        let mut larger = most.clone();
        *larger.last_mut().unwrap() += 1;
        assert_eq!(Unpacker::new(&larger).unsigned(), None);
        assert_eq!(Unpacker::new(&[0x80; 30]).unsigned(), None);
    }

    #[test]
    fn a_length_is_no_longer_than_what_follows() {
        assert_eq!((Unpacker::new(&[2, 0, 0]).length(), Unpacker::new(&[3, 0, 0]).length()), (Some(2), None));
        assert_eq!((Unpacker::new(&[2, b'a', b'b']).text(), Unpacker::new(&[2, b'a']).text()), (Some("ab"), None));
    }

    #[test]
    fn rows_are_fewer_than_any_log_has() {
        let rows = |count: u64| Unpacker::new(&packed(|packer| packer.count(count))).rows();
        assert_eq!((rows(MOST_ROWS - 1), rows(MOST_ROWS)), (Some(MOST_ROWS - 1), None));
    }

    #[test]
    fn parts_are_unpacked_for_themselves() {
        let mut part = Packer::default();
        assert_eq!((part.is_empty(), part.len()), (true, 0));
        part.count(300);
        assert_eq!((part.is_empty(), part.len()), (false, 2));
        let bytes = packed(|packer| {
            packer.part(&part);
            packer.count(7);
        });
        let mut unpacker = Unpacker::new(&bytes);
        let mut inner = unpacker.part().unwrap();
        assert_eq!((inner.count(), inner.is_empty(), unpacker.is_empty()), (Some(300), true, false));
        assert_eq!((unpacker.count(), unpacker.is_empty()), (Some(7), true));
    }
}
