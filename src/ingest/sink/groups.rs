//! The rows of one feature by group: by the labels of other columns, and by the hour of the day. What is counted of a row is one answer,
//! yes or no, that the caller gives for its value.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Sink;
use crate::feature::{ColumnBatch, MISSING_CODE, is_missing};
use crate::ingest::HOUR_US;
use crate::ingest::decode::{Batch, Column, DecodeFault};
use crate::profile::table::FeatureTable;
use crate::profile::{FeatureCounts, FeatureProfile};

/// The value of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Finite or not.
    Number(f64),
    Label(&'a str),
    /// Missing, absent or of another type.
    Nothing,
}

/// Asked once for every row.
pub type Question = Arc<dyn Fn(Value<'_>) -> bool + Send + Sync>;

/// The rows of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Group {
    pub rows: u64,
    /// Rows for whose value the answer was yes.
    pub yes: u64,
    /// Rows with a finite number, …
    pub numbers: u64,
    /// … and the sum of these, taken in the order of the objects.
    pub sum: f64,
}

impl Group {
    fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.yes += other.yes;
        self.numbers += other.numbers;
        self.sum += other.sum;
    }
}

/// Groups by the labels of one column.
#[derive(Clone, Debug, Default)]
pub struct Labelled {
    pub groups: BTreeMap<String, Group>,
    /// Rows without a label.
    pub unlabelled: Group,
    /// Rows of labels that came after [`MOST_LABELS`] others.
    pub left_out: Group,
}

/// So many labels of a column are kept apart: some megabytes.
pub const MOST_LABELS: usize = 50_000;

impl Labelled {
    fn add(&mut self, label: &str, group: &Group) {
        if let Some(known) = self.groups.get_mut(label) {
            known.add(group);
        } else if self.groups.len() < MOST_LABELS {
            self.groups.insert(label.to_owned(), *group);
        } else {
            self.left_out.add(group);
        }
    }

    fn merge(&mut self, other: &Self) {
        for (label, group) in &other.groups {
            self.add(label, group);
        }
        self.unlabelled.add(&other.unlabelled);
        self.left_out.add(&other.left_out);
    }
}

/// Takes the feature as the first requested column, and those that it is split by as the others, all as labels.
#[derive(Clone)]
pub struct Groups {
    question: Question,
    /// One for each column after the first.
    pub columns: Vec<Labelled>,
    /// By the hour of the day, UTC; empty groups where rows have no time.
    pub hours: [Group; 24],
    pub total: Group,
    over: Option<Arc<(FeatureProfile, FeatureTable)>>,
    /// The feature counted over its profile, where that was given.
    pub counts: Option<FeatureCounts>,
}

impl Groups {
    /// Splits by so many columns; counts over a profile of the feature too where there is one.
    pub fn new(question: Question, columns: usize, profile: Option<FeatureProfile>) -> Self {
        let counts = profile.as_ref().map(FeatureCounts::empty);
        let over = profile.map(|profile| {
            let table = FeatureTable::of(&profile);
            Arc::new((profile, table))
        });
        let columns = vec![Labelled::default(); columns];
        Self { question, columns, hours: [Group::default(); 24], total: Group::default(), over, counts }
    }

    /// What is counted of each row.
    fn rows(&mut self, column: &Column, rows: usize) -> Result<Vec<Group>, DecodeFault> {
        let mut counted = Vec::with_capacity(rows);
        let of = |value: Value<'_>| {
            let number = if let Value::Number(number) = value { Some(number).filter(|number| number.is_finite()) } else { None };
            let (yes, numbers) = (u64::from((self.question)(value)), u64::from(number.is_some()));
            Group { rows: 1, yes, numbers, sum: number.unwrap_or(0.0) }
        };
        column.read(rows, &mut |values| {
            if let (Some(over), Some(counts)) = (&self.over, &mut self.counts) {
                counts.update(&over.0, &over.1, values, None);
            }
            match values {
                ColumnBatch::Numeric(values) => counted
                    .extend(values.iter().map(|value| of(if is_missing(*value) { Value::Nothing } else { Value::Number(*value) }))),
                ColumnBatch::Categorical { codes, dictionary } => counted.extend(codes.iter().map(|code| {
                    let label = label(*code, dictionary);
                    of(label.map_or(Value::Nothing, |label| Value::Label(label)))
                })),
                ColumnBatch::Absent { rows } | ColumnBatch::WrongType { rows } => {
                    counted.extend(std::iter::repeat_with(|| of(Value::Nothing)).take(rows));
                }
            }
        })?;
        Ok(counted)
    }
}

fn label(code: u32, dictionary: &[String]) -> Option<&String> {
    if code == MISSING_CODE { None } else { dictionary.get(usize::try_from(code).ok()?) }
}

/// Adds rows to the groups of a column, label by label of each piece.
fn split(column: &Column, rows: &[Group], labelled: &mut Labelled) -> Result<(), DecodeFault> {
    let mut at = 0;
    column.read(rows.len(), &mut |values| {
        let piece = rows.get(at..at + values.rows()).unwrap_or_default();
        at += values.rows();
        let ColumnBatch::Categorical { codes, dictionary } = values else {
            for row in piece {
                labelled.unlabelled.add(row);
            }
            return;
        };
        let mut groups = vec![Group::default(); dictionary.len()];
        for (code, row) in codes.iter().zip(piece) {
            let known = usize::try_from(*code).ok().filter(|_| *code != MISSING_CODE).and_then(|code| groups.get_mut(code));
            known.unwrap_or(&mut labelled.unlabelled).add(row);
        }
        for (label, group) in dictionary.iter().zip(&groups).filter(|(_, group)| group.rows > 0) {
            labelled.add(label, group);
        }
    })
}

impl Sink for Groups {
    fn update(&mut self, batch: &Batch) -> Result<(), DecodeFault> {
        let Some((feature, others)) = batch.columns.split_first() else { return Ok(()) };
        let rows = self.rows(feature, batch.rows)?;
        for (column, labelled) in others.iter().zip(&mut self.columns) {
            split(column, &rows, labelled)?;
        }
        for (row, moment_us) in rows.iter().zip(&batch.timestamps_us) {
            let hour = usize::try_from(moment_us.div_euclid(HOUR_US).rem_euclid(24)).unwrap_or(0);
            if let Some(group) = self.hours.get_mut(hour) {
                group.add(row);
            }
        }
        for row in &rows {
            self.total.add(row);
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        for (own, other) in self.columns.iter_mut().zip(&other.columns) {
            own.merge(other);
        }
        for (own, other) in self.hours.iter_mut().zip(&other.hours) {
            own.add(other);
        }
        self.total.add(&other.total);
        if let (Some(own), Some(other)) = (&mut self.counts, &other.counts) {
            own.merge(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::MISSING;

    fn batch(values: &[f64], codes: &[u32]) -> Batch {
        let classes = Column::Categorical { codes: codes.to_vec(), dictionary: vec!["x".to_owned(), "y".to_owned()] };
        let timestamps_us = (0..).map(|row| row * HOUR_US - HOUR_US).take(values.len()).collect();
        Batch { rows: values.len(), columns: vec![Column::Numeric(values.to_vec()), classes], clusters: None, timestamps_us }
    }

    #[test]
    fn every_row_is_in_one_group_of_each_kind() {
        let question: Question =
            Arc::new(|value| matches!(value, Value::Number(number) if number > 1.0) || value == Value::Nothing);
        let empty = Groups::new(question, 1, None);
        let (mut groups, mut other) = (empty.clone(), empty);
        groups.update(&batch(&[0.5, 2.0, MISSING, f64::NAN], &[0, 1, 1, MISSING_CODE])).unwrap();
        other.update(&batch(&[3.0], &[0])).unwrap();
        groups.merge(other);
        let of = |group: &Group| (group.rows, group.yes, group.numbers, group.sum);
        assert_eq!(of(&groups.columns[0].groups["x"]), (2, 1, 2, 3.5));
        assert_eq!(of(&groups.columns[0].groups["y"]), (2, 2, 1, 2.0));
        assert_eq!(of(&groups.columns[0].unlabelled), (1, 0, 0, 0.0));
        assert_eq!(of(&groups.total), (5, 3, 3, 5.5));
        // The first row of each batch is of the hour before midnight.
        assert_eq!([groups.hours[23].rows, groups.hours[0].rows, groups.hours[2].rows], [2, 1, 1]);
    }
}
