//! What is read from a Parquet object for a request, decided from the types in its schema.

use crate::feature::FeatureKind;

use super::super::error::{DecodeFault, DecodeResult};
use super::super::intake::Intake;

/// What can be read out of a type.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Number,
    Truth,
    Text,
    Moment,
    Null,
    /// Nothing; its name.
    Other(String),
}

/// How the requested columns are got from this object.
pub(super) struct Plan {
    pub columns: Vec<Source>,
    pub timestamp: Option<String>,
    pub cluster: Option<String>,
    /// All that is read.
    pub read: Vec<String>,
}

pub(super) enum Source {
    Absent,
    /// A type that no feature of the requested kind can have.
    WrongType,
    /// Another type too, but one that may turn out to be nothing but nulls: those are missing values, not a changed type.
    NullsOrWrongType(String),
    Numbers(String),
    Labels(String),
}

impl Plan {
    pub fn new(names: &[String], shape: impl Fn(&str) -> Option<Shape>, intake: &mut Intake<'_>) -> DecodeResult<Self> {
        let request = intake.request;
        let timestamp = request.timestamp.as_ref().map(|column| column.name.clone());
        if let Some(name) = &timestamp {
            match shape(name) {
                None => return Err(DecodeFault::TimestampAbsent { name: name.clone(), columns: names.to_vec() }),
                Some(Shape::Truth) => {
                    return Err(DecodeFault::TimestampType { name: name.clone(), found: "boolean".to_owned() });
                }
                Some(Shape::Other(found)) => return Err(DecodeFault::TimestampType { name: name.clone(), found }),
                Some(_) => {}
            }
        }
        let source = |name: &str, kind: FeatureKind| match (shape(name), kind) {
            (None, _) => Source::Absent,
            (Some(Shape::Number | Shape::Null), FeatureKind::Numeric) => Source::Numbers(name.to_owned()),
            (Some(Shape::Text | Shape::Truth), FeatureKind::Numeric) => Source::NullsOrWrongType(name.to_owned()),
            (Some(Shape::Number | Shape::Null | Shape::Text | Shape::Truth), FeatureKind::Categorical) => {
                Source::Labels(name.to_owned())
            }
            (Some(Shape::Moment | Shape::Other(_)), _) => Source::WrongType,
        };
        let columns: Vec<Source> = request.columns.iter().map(|(name, kind)| source(name.as_str(), *kind)).collect();
        let cluster = request.cluster.clone().filter(|name| matches!(source(name, FeatureKind::Categorical), Source::Labels(_)));
        intake.tally.columns_seen = columns.iter().map(|column| !matches!(column, Source::Absent)).collect();
        intake.tally.cluster_seen = cluster.is_some();

        let mut values: Vec<String> = columns.iter().filter_map(|column| column.name().map(str::to_owned)).collect();
        values.extend(cluster.iter().chain(&timestamp).cloned());
        values.sort_unstable();
        values.dedup();
        Ok(Self { columns, timestamp, cluster, read: values })
    }
}

impl Source {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Absent | Self::WrongType => None,
            Self::NullsOrWrongType(name) | Self::Numbers(name) | Self::Labels(name) => Some(name),
        }
    }
}
