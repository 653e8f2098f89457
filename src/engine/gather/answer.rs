//! The rows of an answer, value by value: whatever is not what was asked for is an error.

use super::super::statements::MOST_ROWS;
use super::super::{Database, EngineError, Field};
use crate::ingest::decode::{cluster_of_label, label_of_number, label_of_text};
use crate::profile::dependence::Dependence;
use crate::profile::dependence::blocks::{HourSum, LevelSums};
use crate::profile::dependence::clusters::Cluster;

pub fn nonsense(database: &dyn Database) -> EngineError {
    EngineError::Failed { remote: database.uri(), detail: "its answer makes no sense".to_owned() }
}

/// One row of an answer.
pub struct Answer<'a> {
    fields: &'a [Field],
    database: &'a dyn Database,
}

impl<'a> Answer<'a> {
    pub fn new(database: &'a dyn Database, fields: &'a [Field]) -> Self {
        Self { fields, database }
    }

    pub fn optional(&self, at: usize) -> Result<Option<i64>, EngineError> {
        match self.fields.get(at) {
            Some(Field::Integer(number)) => Ok(Some(*number)),
            Some(Field::Null) => Ok(None),
            _ => Err(nonsense(self.database)),
        }
    }

    pub fn count(&self, at: usize) -> Result<u64, EngineError> {
        self.optional(at)?.and_then(|count| u64::try_from(count).ok()).ok_or_else(|| nonsense(self.database))
    }

    /// The feature that the row is about.
    pub fn position(&self) -> Result<usize, EngineError> {
        match self.fields.first() {
            Some(Field::Text(position)) => position.parse().map_err(|_| nonsense(self.database)),
            _ => Err(nonsense(self.database)),
        }
    }

    pub fn number(&self, at: usize) -> Result<f64, EngineError> {
        match self.fields.get(at) {
            Some(Field::Number(number)) => Ok(*number),
            _ => Err(nonsense(self.database)),
        }
    }

    pub fn truth(&self, at: usize) -> Result<bool, EngineError> {
        match self.fields.get(at) {
            Some(Field::Truth(truth)) => Ok(*truth),
            _ => Err(nonsense(self.database)),
        }
    }

    /// The label that stands as text or as a number.
    pub fn label(&self, at: usize) -> Option<String> {
        match (self.fields.get(at), self.fields.get(at + 1)) {
            (Some(Field::Text(text)), _) => label_of_text(text),
            (_, Some(Field::Number(number))) => label_of_number(*number),
            _ => None,
        }
    }

    /// The hash of the label of a cluster.
    pub fn cluster(&self, at: usize) -> Option<u64> {
        self.label(at).map(|label| cluster_of_label(&label))
    }

    /// Adds the ranks of one feature's rows to those of their group, which is told from the second value on: a cluster by its label, or an hour.
    pub fn depend(&self, dependence: &mut Dependence, feature: usize, sums: Cluster) -> Result<(), EngineError> {
        let Cluster { rows, ranks, squares } = sums;
        if let Some(hour) = self.optional(3)? {
            dependence.add_hour_sums(hour, feature, HourSum { rows, ranks });
            dependence.add_single_rows(feature, LevelSums { blocks: rows, sum: ranks.into(), squares: squares.into() });
        } else if let Some(hash) = self.cluster(1) {
            dependence.add_cluster_sums(hash, feature, sums);
        }
        Ok(())
    }

    /// Whether the sums over so many rows fit into their 64 bits.
    pub fn fits(&self, rows: u64) -> Result<(), EngineError> {
        if rows <= MOST_ROWS {
            return Ok(());
        }
        let detail = format!("{rows} rows of one group are more than can be summed exactly; check a shorter window");
        Err(EngineError::Failed { remote: self.database.uri(), detail })
    }
}
