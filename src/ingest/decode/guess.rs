//! What a column looks like, from a sample of its cells.

use super::cell::{self, Cell, Label, Numeric};

/// What a column looks like, from its first rows or its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnGuess {
    /// (Nearly) every value seen is a number.
    Numeric,
    /// More than a few values seen are text, or truth values.
    Text,
    /// No value was seen.
    Empty,
    /// A date-time, an array, an object or another type that no feature can have.
    Unsupported,
}

/// The share of numbers from which a column is numeric, and the rest of its values are bad cells: one slip of the keyboard among
/// thousands of numbers must not make a category of each of them.
const NUMERIC_SHARE: f64 = 0.95;

/// The cells of a column, by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Votes {
    numbers: u32,
    texts: u32,
    structures: u32,
}

impl Votes {
    pub fn add(&mut self, cell: Cell<'_>) {
        match cell {
            Cell::Missing => {}
            Cell::Text(text) => match (cell::numeric(text), cell::label(text)) {
                (Numeric::Number(_), _) => self.numbers += 1,
                (Numeric::NotANumber | Numeric::NotUtf8, Label::Text(_) | Label::NotUtf8) => self.texts += 1,
                _ => {}
            },
            Cell::Integer(_) | Cell::Number(_) => self.numbers += 1,
            Cell::Bool(_) => self.texts += 1,
            Cell::Nested | Cell::Duplicate => self.structures += 1,
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.numbers += other.numbers;
        self.texts += other.texts;
        self.structures += other.structures;
    }

    pub fn guess(self) -> ColumnGuess {
        let all = f64::from(self.numbers) + f64::from(self.texts) + f64::from(self.structures);
        match self {
            Self { numbers: 0, texts: 0, structures: 0 } => ColumnGuess::Empty,
            _ if f64::from(self.numbers) >= NUMERIC_SHARE * all => ColumnGuess::Numeric,
            _ if f64::from(self.structures) > (1.0 - NUMERIC_SHARE) * all => ColumnGuess::Unsupported,
            _ => ColumnGuess::Text,
        }
    }
}
