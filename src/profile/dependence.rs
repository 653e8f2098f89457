//! How many independent observations the rows of a feature are worth.
//!
//! Slices of one patient are not independent, nor are neighbouring requests; taking them so is the largest source of false alarms.
//! Everything is computed on the rank of a value in the reference, `2·#{ref < x} + #{ref = x}`, an integer that knows no scale and
//! no outlier (STATISTICS.md, section 5). All sums are integers, so that parts merge by addition.

pub mod blocks;
pub mod clusters;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use blocks::Blocks;
use clusters::{ClusterIndex, ClusterSums};

/// How the design effect was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Nothing tells which rows belong together: rows are taken as independent.
    Independent,
    /// The intraclass correlation of the clusters.
    Clusters,
    /// Blocking in time order.
    Blocks,
}

/// How many rows one independent observation takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    pub method: Method,
    /// At least 1.
    pub design_effect: f64,
    /// In [0, 1]; with clusters only, where there are at least two, and one of more than one row.
    pub intraclass_correlation: Option<f64>,
    /// Clusters seen; with clusters only.
    pub clusters: Option<u64>,
}

impl Estimate {
    pub const INDEPENDENT: Self =
        Self { method: Method::Independent, design_effect: 1.0, intraclass_correlation: None, clusters: None };
}

/// What is kept of the dependence between the rows of a window, for all features.
///
/// Rows whose cluster is known are summed by cluster, rows that have a time but no cluster in blocks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependence {
    index: ClusterIndex,
    clusters: Vec<ClusterSums>,
    blocks: Vec<Blocks>,
    rows_in_clusters: u64,
    rows_in_blocks: u64,
}

/// The rank of each row of a batch for one feature; `None` where it has no usable value.
pub type Ranks = Vec<Option<u64>>;

impl Dependence {
    pub fn new(features: usize) -> Self {
        Self { clusters: vec![ClusterSums::default(); features], blocks: vec![Blocks::default(); features], ..Self::default() }
    }

    /// Adds rows by the hash of their cluster; rows without one take no part.
    pub fn add_clustered(&mut self, clusters: &[Option<u64>], ranks: &[Ranks]) {
        self.rows_in_clusters += clusters.len() as u64;
        let slots = self.index.slots_of(clusters, &mut self.clusters);
        self.clusters.par_iter_mut().zip(ranks).for_each(|(sums, ranks)| {
            for (slot, rank) in slots.iter().zip(ranks) {
                if let (Some(slot), Some(rank)) = (slot, rank) {
                    sums.add(*slot, *rank);
                }
            }
        });
    }

    /// Adds rows in the order of time that `order` names.
    pub fn add_in_time_order(&mut self, order: &[usize], ranks: &[Ranks]) {
        self.rows_in_blocks += order.len() as u64;
        self.blocks.par_iter_mut().zip(ranks).for_each(|(blocks, ranks)| {
            let in_order = order.iter().filter_map(|row| ranks.get(*row).copied().flatten());
            in_order.for_each(|rank| blocks.push(rank));
        });
    }

    /// Adds the rows of another part, which comes after this one.
    pub fn merge(&mut self, other: &Self) {
        self.rows_in_clusters += other.rows_in_clusters;
        self.rows_in_blocks += other.rows_in_blocks;
        let slots = self.index.merge(&other.index, &mut self.clusters);
        for (sums, more) in self.clusters.iter_mut().zip(&other.clusters) {
            sums.merge(more, &slots);
        }
        for (blocks, more) in self.blocks.iter_mut().zip(&other.blocks) {
            blocks.merge(more);
        }
    }

    /// Keeps the features for which `keep` is true.
    pub fn retain(&mut self, keep: &[bool]) {
        let mut flags = keep.iter();
        self.clusters.retain(|_| flags.next().is_none_or(|keep| *keep));
        let mut flags = keep.iter();
        self.blocks.retain(|_| flags.next().is_none_or(|keep| *keep));
    }

    /// Whether only a sample of the clusters was kept.
    pub fn is_sampled(&self) -> bool {
        self.index.is_sampled()
    }

    /// The estimate of every feature, from what most rows have. `reference` holds those of the reference, for what a small window
    /// cannot tell.
    pub fn estimates(&self, reference: &[Estimate]) -> Vec<Estimate> {
        if self.rows_in_clusters == 0 && self.rows_in_blocks == 0 {
            return vec![Estimate::INDEPENDENT; self.clusters.len()];
        }
        if self.rows_in_blocks > self.rows_in_clusters {
            return blocks::estimates(&self.blocks, reference);
        }
        let known = |position: usize| reference.get(position).and_then(|estimate| estimate.intraclass_correlation);
        self.clusters.iter().enumerate().map(|(position, sums)| sums.estimate(known(position))).collect()
    }
}
