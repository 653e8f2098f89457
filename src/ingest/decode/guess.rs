//! What a column looks like, from a sample of its cells.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use super::MOST_COLUMNS;
use super::cell::{self, Cell, Label, Numeric};
use super::error::{DecodeFault, DecodeResult, too_many_columns};

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
            Cell::Text(text) => match cell::numeric(text) {
                Numeric::Number(_) => self.numbers += 1,
                Numeric::Missing => {}
                Numeric::NotANumber | Numeric::NotUtf8 => self.texts += u32::from(cell::label(text) != Label::Missing),
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

/// The columns of an object in the order in which they first occur. The n-th of a name in a row is the n-th column of that name, so that a
/// duplicate shows as one.
pub(super) struct FoundColumns<N> {
    columns: Vec<(N, Votes)>,
    places: HashMap<N, Vec<usize>>,
}

impl<N> Default for FoundColumns<N> {
    fn default() -> Self {
        Self { columns: Vec::new(), places: HashMap::new() }
    }
}

/// The columns that a row, or a header, has named so far.
#[derive(Default)]
pub(super) struct NamedInRow {
    by_place: HashMap<usize, usize>,
}

impl<N: Clone + Eq + Hash> FoundColumns<N> {
    /// The place of the next column of a row.
    ///
    /// # Errors
    /// When there are more columns than any table has.
    pub fn place_of_next<Q>(&mut self, row: &mut NamedInRow, name: &Q) -> DecodeResult<usize>
    where
        Q: Eq + Hash + ToOwned<Owned = N> + ?Sized,
        N: Borrow<Q>,
    {
        let known = self.places.get(name);
        // The first column of a name stands for it.
        let occurrence = known.and_then(|places| places.first()).map_or(0, |first| {
            let named = row.by_place.entry(*first).or_default();
            *named += 1;
            *named - 1
        });
        if let Some(place) = known.and_then(|places| places.get(occurrence)) {
            return Ok(*place);
        }
        if self.columns.len() >= MOST_COLUMNS {
            return Err(DecodeFault::TooLarge { what: too_many_columns() });
        }
        let place = self.columns.len();
        self.columns.push((name.to_owned(), Votes::default()));
        let places = self.places.entry(name.to_owned()).or_default();
        places.push(place);
        if places.len() == 1 {
            row.by_place.insert(place, 1);
        }
        Ok(place)
    }

    /// What was seen in the next column of a row.
    ///
    /// # Errors
    /// As [`Self::place_of_next`].
    pub fn of_next<Q>(&mut self, row: &mut NamedInRow, name: &Q) -> DecodeResult<&mut Votes>
    where
        Q: Eq + Hash + ToOwned<Owned = N> + ?Sized,
        N: Borrow<Q>,
    {
        let place = self.place_of_next(row, name)?;
        self.at(place).ok_or_else(|| DecodeFault::TooLarge { what: too_many_columns() })
    }

    pub fn at(&mut self, place: usize) -> Option<&mut Votes> {
        self.columns.get_mut(place).map(|(_, votes)| votes)
    }

    pub fn guesses(self) -> impl Iterator<Item = (N, ColumnGuess)> {
        self.columns.into_iter().map(|(name, votes)| (name, votes.guess()))
    }
}
