//! Lists of a stored profile that are no longer than any that is written: of a longer one no more is read.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// Reads a list of at most `MOST` elements.
pub(super) fn at_most<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MOST: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(AtMost::<T, MOST>(PhantomData))
}

struct AtMost<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for AtMost<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut read = Vec::new();
        while let Some(element) = elements.next_element()? {
            if read.len() >= MOST {
                return Err(A::Error::custom(format_args!("a list of more than {MOST}")));
            }
            read.push(element);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<u8>, String> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        at_most::<_, u8, 3>(&mut deserializer).map_err(|error| error.to_string())
    }

    #[test]
    fn as_many_as_are_allowed_are_read_and_one_more_is_refused() {
        assert_eq!((read("[]"), read("[4, 5]"), read("[4, 5, 6]")), (Ok(vec![]), Ok(vec![4, 5]), Ok(vec![4, 5, 6])));
        let refused = read("[4, 5, 6, 7]").unwrap_err();
        assert!(refused.contains("a list of more than 3"), "{refused}");
    }

    #[test]
    fn what_is_no_list_is_told_what_is_expected() {
        let refused = read("\"x\"").unwrap_err();
        assert!(refused.contains("a list of at most 3"), "{refused}");
    }
}
