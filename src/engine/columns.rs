//! What can be read out of the columns of a table: the same decisions that are made of a Parquet file's.

use crate::feature::FeatureKind;

/// What a column's type holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Whole numbers: features, labels, and moments since the epoch.
    Integer,
    Number,
    Truth,
    Text,
    /// A moment, with or without a time zone.
    Moment {
        is_naive: bool,
    },
    /// Nothing but nulls.
    Null,
    /// Another type, by its name.
    Other(String),
}

/// How a feature is got from a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Absent,
    /// A type that no feature of this kind can have.
    WrongType,
    /// Another type too, but one that may turn out to be nothing but nulls: those are missing values, not a changed type.
    NullsOrWrongType,
    Numbers,
    /// Labels that are text; numbers with a fraction are labels by their value.
    Labels {
        is_number: bool,
    },
}

impl Source {
    pub fn of(shape: Option<&Shape>, kind: FeatureKind) -> Self {
        match (shape, kind) {
            (None, _) => Self::Absent,
            (Some(Shape::Integer | Shape::Number | Shape::Null), FeatureKind::Numeric) => Self::Numbers,
            (Some(Shape::Text | Shape::Truth), FeatureKind::Numeric) => Self::NullsOrWrongType,
            (Some(Shape::Number), FeatureKind::Categorical) => Self::Labels { is_number: true },
            (Some(Shape::Integer | Shape::Null | Shape::Text | Shape::Truth), FeatureKind::Categorical) => {
                Self::Labels { is_number: false }
            }
            (Some(Shape::Moment { .. } | Shape::Other(_)), _) => Self::WrongType,
        }
    }
}

/// How the moment of a row is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Instant,
    /// A date and a time of day, in UTC.
    Naive,
    /// A whole number since the epoch, whose unit follows from its magnitude.
    Epoch,
}

impl Moment {
    /// `None` where a column of this shape is not read as moments.
    pub fn of(shape: &Shape) -> Option<Self> {
        match shape {
            Shape::Moment { is_naive: false } => Some(Self::Instant),
            Shape::Moment { is_naive: true } => Some(Self::Naive),
            Shape::Integer => Some(Self::Epoch),
            Shape::Number | Shape::Truth | Shape::Text | Shape::Null | Shape::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_as_its_type_allows() {
        use FeatureKind::{Categorical, Numeric};
        let date = Shape::Other("date".to_owned());
        let moment = Shape::Moment { is_naive: false };
        for (shape, kind, source) in [
            (None, Numeric, Source::Absent),
            (Some(&Shape::Integer), Numeric, Source::Numbers),
            (Some(&Shape::Number), Numeric, Source::Numbers),
            (Some(&Shape::Null), Numeric, Source::Numbers),
            (Some(&Shape::Text), Numeric, Source::NullsOrWrongType),
            (Some(&Shape::Truth), Numeric, Source::NullsOrWrongType),
            (Some(&moment), Numeric, Source::WrongType),
            (Some(&date), Categorical, Source::WrongType),
            (Some(&Shape::Number), Categorical, Source::Labels { is_number: true }),
            (Some(&Shape::Integer), Categorical, Source::Labels { is_number: false }),
            (Some(&Shape::Text), Categorical, Source::Labels { is_number: false }),
            (Some(&Shape::Truth), Categorical, Source::Labels { is_number: false }),
        ] {
            assert_eq!(Source::of(shape, kind), source, "{shape:?} as {kind}");
        }
    }

    #[test]
    fn moments_are_not_guessed_from_text() {
        assert_eq!(Moment::of(&Shape::Moment { is_naive: false }), Some(Moment::Instant));
        assert_eq!(Moment::of(&Shape::Moment { is_naive: true }), Some(Moment::Naive));
        assert_eq!(Moment::of(&Shape::Integer), Some(Moment::Epoch));
        for shape in [Shape::Text, Shape::Number, Shape::Truth, Shape::Null, Shape::Other("date".to_owned())] {
            assert_eq!(Moment::of(&shape), None, "{shape:?}");
        }
    }
}
