//! A value of a line as the JSON parser finds it.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::cell::Cell;

/// A value; text is a part of a text that is kept beside it.
#[derive(Clone)]
pub(super) enum Slot {
    Absent,
    Missing,
    Integer(i128),
    Number(f64),
    Bool(bool),
    Text(Range<usize>),
    Nested,
    Duplicate,
}

impl Slot {
    /// What a slot holds when another value comes for it.
    pub fn with(&self, value: Self) -> Self {
        if matches!(self, Self::Absent) { value } else { Self::Duplicate }
    }

    /// The cell, whose text is a part of this.
    pub fn cell<'t>(&self, text: &'t str) -> Cell<'t> {
        match self {
            Self::Absent | Self::Missing => Cell::Missing,
            Self::Integer(number) => Cell::Integer(*number),
            Self::Number(number) => Cell::Number(*number),
            Self::Bool(value) => Cell::Bool(*value),
            Self::Text(range) => Cell::Text(text.get(range.clone()).unwrap_or_default().as_bytes()),
            Self::Nested => Cell::Nested,
            Self::Duplicate => Cell::Duplicate,
        }
    }
}

/// Reads a key without keeping it.
pub(super) struct Key<F>(pub F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for Key<F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> T> Visitor<'_> for Key<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<T, E> {
        Ok((self.0)(name))
    }
}

/// Reads any value; strings are appended to `text`.
pub(super) struct Value<'a> {
    pub text: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Slot;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Slot, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Slot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Slot, E> {
        Ok(Slot::Missing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Slot, E> {
        Ok(Slot::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Slot, E> {
        Ok(Slot::Integer(i128::from(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Slot, E> {
        Ok(Slot::Integer(i128::from(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Slot, E> {
        Ok(Slot::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Slot, E> {
        let start = self.text.len();
        self.text.push_str(text);
        Ok(Slot::Text(start..self.text.len()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Slot, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Slot::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Slot, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Slot::Nested)
    }
}
