//! Parquet files byte by byte, with whatever claims: no writer makes what an attacker does.

/// A structure of Thrift's compact protocol.
#[derive(Clone, Default)]
pub struct Struct {
    bytes: Vec<u8>,
    last: i16,
}

pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn zigzag(value: i64) -> Vec<u8> {
    varint((value << 1 ^ value >> 63) as u64)
}

const I32: u8 = 5;
const I64: u8 = 6;
const BYTES: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

impl Struct {
    fn field(mut self, id: i16, written: u8, value: &[u8]) -> Self {
        self.bytes.push(((id - self.last) as u8 * 16) | written);
        self.bytes.extend(value);
        self.last = id;
        self
    }

    pub fn i32(self, id: i16, value: i64) -> Self {
        self.field(id, I32, &zigzag(value))
    }

    pub fn i64(self, id: i16, value: i64) -> Self {
        self.field(id, I64, &zigzag(value))
    }

    pub fn text(self, id: i16, text: &str) -> Self {
        self.field(id, BYTES, &[varint(text.len() as u64), text.as_bytes().to_vec()].concat())
    }

    pub fn part(self, id: i16, part: Struct) -> Self {
        self.field(id, STRUCT, &part.end())
    }

    /// A list of structures that is said to have so many.
    pub fn list(self, id: i16, said: u64, elements: &[Vec<u8>]) -> Self {
        let head = if said < 15 { vec![(said as u8 * 16) | STRUCT] } else { [vec![0xF0 | STRUCT], varint(said)].concat() };
        self.field(id, LIST, &[head, elements.concat()].concat())
    }

    /// A list of 32-bit numbers, or of texts.
    fn short_list(self, id: i16, element: u8, value: &[u8]) -> Self {
        self.field(id, LIST, &[vec![0x10 | element], value.to_vec()].concat())
    }

    pub fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

/// What a file of one column of doubles, or of texts, claims.
#[derive(Clone)]
pub struct Claims {
    pub name: &'static str,
    pub is_text: bool,
    /// Of the file, of its row group and of its column.
    pub rows: i64,
    /// Of the data page.
    pub values: i64,
    /// Of the data page, uncompressed.
    pub page_bytes: i64,
    /// Of the column in the file, and where it begins.
    pub chunk_bytes: Option<i64>,
    pub chunk_start: i64,
    /// Uncompressed or (6) zstd.
    pub codec: i64,
    /// A dictionary page before the data page: the values that it claims, and its bytes.
    pub dictionary: Option<(i64, Vec<u8>)>,
    /// What stands in the data page, as it is stored.
    pub stored: Vec<u8>,
}

impl Claims {
    /// A file of these doubles that claims nothing that is not so.
    pub fn doubles(name: &'static str, values: &[f64]) -> Self {
        let stored: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let (rows, page_bytes) = (values.len() as i64, stored.len() as i64);
        Self {
            name,
            is_text: false,
            rows,
            values: rows,
            page_bytes,
            chunk_bytes: None,
            chunk_start: 4,
            codec: 0,
            dictionary: None,
            stored,
        }
    }

    pub fn file(&self) -> Vec<u8> {
        let page = |kind: i64, bytes: i64, stored: &[u8], id: i16, header: Struct| {
            let head = Struct::default().i32(1, kind).i32(2, bytes).i32(3, stored.len() as i64).part(id, header);
            [head.end(), stored.to_vec()].concat()
        };
        let dictionary = self
            .dictionary
            .iter()
            .map(|(values, bytes)| page(2, bytes.len() as i64, bytes, 7, Struct::default().i32(1, *values).i32(2, 0)));
        let encoding = if self.dictionary.is_some() { 8 } else { 0 };
        let data = Struct::default().i32(1, self.values).i32(2, encoding).i32(3, 3).i32(4, 3);
        let pages = [dictionary.flatten().collect::<Vec<u8>>(), page(0, self.page_bytes, &self.stored, 5, data)].concat();
        let footer = self.footer(pages.len() as i64);
        file(&[b"PAR1".to_vec(), pages].concat(), &footer)
    }

    pub fn footer(&self, pages_bytes: i64) -> Vec<u8> {
        let kind = if self.is_text { 6 } else { 5 };
        let root = Struct::default().text(4, "schema").i32(5, 1).end();
        // Required, so that there are no levels.
        let column = Struct::default().i32(1, kind).i32(3, 0).text(4, self.name);
        let column = if self.is_text { column.i32(6, 0) } else { column };
        let bytes = self.chunk_bytes.unwrap_or(pages_bytes);
        let metadata = Struct::default()
            .i32(1, kind)
            .short_list(2, I32, &[0])
            .short_list(3, BYTES, &[varint(self.name.len() as u64), self.name.as_bytes().to_vec()].concat())
            .i32(4, self.codec)
            .i64(5, self.rows)
            .i64(6, bytes.max(self.page_bytes))
            .i64(7, bytes)
            .i64(9, self.chunk_start);
        let metadata = if self.dictionary.is_some() { metadata.i64(11, self.chunk_start) } else { metadata };
        let chunk = Struct::default().i64(2, 4).part(3, metadata).end();
        let group = Struct::default().list(1, 1, &[chunk]).i64(2, bytes).i64(3, self.rows).end();
        Struct::default().i32(1, 1).list(2, 2, &[root, column.end()]).i64(3, self.rows).list(4, 1, &[group]).end()
    }
}

/// A file with this footer.
pub fn file(before: &[u8], footer: &[u8]) -> Vec<u8> {
    [before, footer, &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat()
}
