//! How many independent observations the rows of a feature are worth.
//!
//! Slices of one patient are not independent, nor are neighbouring requests; taking them so is the largest source of false alarms.
//! Everything is computed on the rank of a value in the reference, an integer that knows no scale and no outlier (STATISTICS.md,
//! section 5). All sums are integers, so that parts merge by addition.

pub mod blocks;
pub mod clusters;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::packed::{Packer, Unpacker};
use super::ranks::{RankTable, usable};
use crate::parallel::columns_a_task;
use blocks::{Blocks, HourSum, LevelSums};
use clusters::{Cluster, ClusterIndex, ClusterSums};

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
    /// By the hour since the epoch, of every feature.
    hours: BTreeMap<i64, Vec<HourSum>>,
    /// The stretch that is not closed, if there is one.
    open: Option<Stretch>,
    rows_in_clusters: u64,
    rows_in_blocks: u64,
}

/// The rank of each row of a batch for one feature, [`RankTable::NONE`] where it has no usable value; empty where none has.
pub type Ranks = Vec<u16>;

/// Rows that are neighbours in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stretch {
    /// By its number since the epoch.
    OfAnHour(i64),
    OfAnObject,
}

/// Rows of a batch in the order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they stand.
    Standing(Range<usize>),
    Sorted(Vec<usize>),
}

impl Order {
    fn rows(&self) -> usize {
        match self {
            Self::Standing(rows) => rows.len(),
            Self::Sorted(rows) => rows.len(),
        }
    }

    /// The ranks of these rows where they have one.
    fn usable<'r>(&self, ranks: &'r [u16]) -> Cow<'r, [u16]> {
        let is_usable = |rank: &u16| *rank != RankTable::NONE;
        match self {
            Self::Standing(rows) => {
                let ranks = ranks.get(rows.clone()).unwrap_or_default();
                if usable(ranks) == ranks.len() { Cow::Borrowed(ranks) } else { ranks.iter().copied().filter(is_usable).collect() }
            }
            Self::Sorted(rows) => rows.iter().filter_map(|row| ranks.get(*row).copied()).filter(is_usable).collect(),
        }
    }
}

impl Dependence {
    pub fn new(features: usize) -> Self {
        Self { clusters: vec![ClusterSums::default(); features], blocks: vec![Blocks::default(); features], ..Self::default() }
    }

    /// Adds rows by the hash of their cluster; rows without one take no part.
    pub fn add_clustered(&mut self, clusters: &[Option<u64>], ranks: &[Ranks]) {
        self.rows_in_clusters += clusters.len() as u64;
        let slots = self.index.slots_of(clusters, &mut self.clusters);
        self.clusters.par_iter_mut().zip(ranks).with_min_len(columns_a_task(clusters.len() as u64)).for_each(|(sums, ranks)| {
            for (slot, rank) in slots.iter().zip(ranks) {
                if let Some(slot) = slot.filter(|_| *rank != RankTable::NONE) {
                    sums.add(slot, u64::from(*rank));
                }
            }
        });
    }

    /// Adds the rows `order` of a batch, in the order of time that it names. All are of one hour since the epoch; of none where only their
    /// order is known.
    pub fn add_in_time_order(&mut self, hour: Option<i64>, order: &Order, ranks: &[Ranks]) {
        let stretch = hour.map_or(Stretch::OfAnObject, Stretch::OfAnHour);
        if self.open != Some(stretch) {
            self.close();
            self.open = Some(stretch);
        }
        self.rows_in_blocks += order.rows() as u64;
        let features = self.blocks.len();
        let mut none = vec![HourSum::default(); features];
        let hours = hour.map_or(&mut none, |hour| self.hours.entry(hour).or_insert_with(|| vec![HourSum::default(); features]));
        let features =
            self.blocks.par_iter_mut().zip(hours.par_iter_mut()).zip(ranks).with_min_len(columns_a_task(order.rows() as u64));
        features.for_each(|((blocks, hour), ranks)| {
            let ranks = order.usable(ranks);
            hour.rows += ranks.len() as u64;
            hour.ranks += ranks.iter().map(|rank| u64::from(*rank)).sum::<u64>();
            blocks.extend(&ranks);
        });
    }

    /// Adds rows that were summed elsewhere: as many as there are, in clusters or in the order of time.
    pub fn add_rows(&mut self, in_clusters: u64, in_time_order: u64) {
        self.rows_in_clusters += in_clusters;
        self.rows_in_blocks += in_time_order;
    }

    /// Adds the ranks of one feature's rows of a cluster, by its hash, that were summed elsewhere.
    pub fn add_cluster_sums(&mut self, hash: u64, feature: usize, sums: Cluster) {
        let slots = self.index.slots_of(&[Some(hash)], &mut self.clusters);
        if let (Some(Some(slot)), Some(of_feature)) = (slots.first(), self.clusters.get_mut(feature)) {
            of_feature.add_sums(*slot, sums);
        }
    }

    /// Adds the ranks of one feature's rows of an hour since the epoch that were summed elsewhere.
    pub fn add_hour_sums(&mut self, hour: i64, feature: usize, sums: HourSum) {
        let features = self.blocks.len();
        let hours = self.hours.entry(hour).or_insert_with(|| vec![HourSum::default(); features]);
        if let Some(sum) = hours.get_mut(feature) {
            sum.rows += sums.rows;
            sum.ranks += sums.ranks;
        }
    }

    /// Adds the ranks of one feature's rows, one by one, that were summed elsewhere: what blocks of many rows would add is not known.
    pub fn add_single_rows(&mut self, feature: usize, sums: LevelSums) {
        if let Some(blocks) = self.blocks.get_mut(feature) {
            blocks.add([sums]);
        }
    }

    /// Ends a stretch of rows: what comes next is of another object.
    pub fn close(&mut self) {
        self.open = None;
        self.blocks.iter_mut().for_each(Blocks::close);
    }

    /// Adds the rows of another part. Both are closed.
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
        for (hour, more) in &other.hours {
            let sums = self.hours.entry(*hour).or_insert_with(|| vec![HourSum::default(); more.len()]);
            for (sum, more) in sums.iter_mut().zip(more) {
                sum.rows += more.rows;
                sum.ranks += more.ranks;
            }
        }
    }

    /// As [`Self::merge`], and the last stretch of the other part, which is not closed, goes on here.
    pub fn follow(&mut self, other: &Self) {
        let blocks: Vec<Blocks> = self
            .blocks
            .iter()
            .zip(&other.blocks)
            .map(|(own, others)| {
                let mut own = own.clone();
                own.follow(others);
                own
            })
            .collect();
        self.merge(other);
        self.blocks = blocks;
        self.open = other.open;
    }

    /// Of whole stretches: the part is closed.
    pub fn pack(&self, to: &mut Packer) {
        to.count(self.rows_in_clusters);
        to.count(self.rows_in_blocks);
        if self.rows_in_clusters > 0 {
            self.index.pack(&self.clusters, to);
        }
        if self.rows_in_blocks > 0 {
            self.blocks.iter().for_each(|blocks| blocks.pack(to));
            to.length(self.hours.len());
            for (hour, sums) in &self.hours {
                to.signed(i128::from(*hour));
                for sum in sums {
                    to.count(sum.rows);
                    to.count(sum.ranks);
                }
            }
        }
    }

    /// What was packed of so many features; `None` where it was not.
    pub fn unpack(features: usize, from: &mut Unpacker<'_>) -> Option<Self> {
        let (rows_in_clusters, rows_in_blocks) = (from.rows()?, from.rows()?);
        let mut read = Self { rows_in_clusters, rows_in_blocks, ..Self::new(features) };
        if rows_in_clusters > 0 {
            read.index = ClusterIndex::unpack(&mut read.clusters, from)?;
        }
        if rows_in_blocks > 0 {
            read.blocks = (0..features).map(|_| Blocks::unpack(from)).collect::<Option<_>>()?;
            for _ in 0..from.length()? {
                let hour = i64::try_from(from.signed()?).ok()?;
                let sum = |from: &mut Unpacker<'_>| {
                    let rows = from.rows()?;
                    Some(HourSum { rows, ranks: from.count().filter(|ranks| *ranks <= rows << 16)? })
                };
                read.hours.insert(hour, (0..features).map(|_| sum(from)).collect::<Option<_>>()?);
            }
        }
        Some(read)
    }

    /// Keeps the features for which `keep` is true.
    pub fn retain(&mut self, keep: &[bool]) {
        let mut flags = keep.iter();
        self.clusters.retain(|_| flags.next().is_none_or(|keep| *keep));
        let mut flags = keep.iter();
        self.blocks.retain(|_| flags.next().is_none_or(|keep| *keep));
        for sums in self.hours.values_mut() {
            let mut flags = keep.iter();
            sums.retain(|_| flags.next().is_none_or(|keep| *keep));
        }
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
            let hours = |position| self.hours.iter().filter_map(|(hour, sums)| Some((*hour, *sums.get(position)?))).collect();
            let hours: Vec<Vec<(i64, HourSum)>> = (0..self.blocks.len()).map(hours).collect();
            return blocks::estimates(&self.blocks, &hours, reference);
        }
        let known = |position: usize| reference.get(position).and_then(|estimate| estimate.intraclass_correlation);
        self.clusters.iter().enumerate().map(|(position, sums)| sums.estimate(known(position))).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FEATURES: usize = 2;

    fn packed(dependence: &Dependence) -> Vec<u8> {
        let mut packer = Packer::default();
        dependence.pack(&mut packer);
        packer.into_bytes()
    }

    /// A row: its cluster, and its rank in each feature; 0 is none.
    type Row = (Option<u64>, [u16; FEATURES]);

    fn any_rows() -> impl Strategy<Value = Vec<Row>> {
        let rank = || prop_oneof![1 => Just(RankTable::NONE), 6 => 1_u16..=u16::MAX];
        prop::collection::vec((prop::option::weighted(0.9, 0_u64..12), [rank(), rank()]), 0..120)
    }

    fn ranks(rows: &[Row]) -> Vec<Ranks> {
        (0..FEATURES).map(|feature| rows.iter().map(|(_, ranks)| ranks[feature]).collect()).collect()
    }

    fn clustered(rows: &[Row]) -> Dependence {
        let mut dependence = Dependence::new(FEATURES);
        dependence.add_clustered(&rows.iter().map(|(cluster, _)| *cluster).collect::<Vec<_>>(), &ranks(rows));
        dependence
    }

    /// Objects of some hours each; the rows of an hour in batches of so many.
    fn in_time_order(objects: &[Vec<(i64, Vec<Row>)>], batch_rows: usize) -> Dependence {
        let mut dependence = Dependence::new(FEATURES);
        for object in objects {
            for (hour, rows) in object {
                for batch in rows.chunks(batch_rows) {
                    dependence.add_in_time_order(Some(*hour), &Order::Standing(0..batch.len()), &ranks(batch));
                }
            }
            dependence.close();
        }
        dependence
    }

    fn any_objects() -> impl Strategy<Value = Vec<Vec<(i64, Vec<Row>)>>> {
        let object = prop::collection::btree_map(-2_i64..3, any_rows(), 0..3);
        prop::collection::vec(object.prop_map(|hours| hours.into_iter().collect()), 0..6)
    }

    fn is_possible(estimate: &Estimate) -> bool {
        let correlation = estimate.intraclass_correlation;
        estimate.design_effect >= 1.0
            && estimate.design_effect.is_finite()
            && correlation.is_none_or(|correlation| (0.0..=1.0).contains(&correlation))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn clusters_are_the_same_whatever_the_split_and_the_order_of_the_rows(
            (rows, shuffled) in any_rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
            part_rows in 1_usize..120,
        ) {
            let whole = clustered(&rows);
            let mut merged = Dependence::new(FEATURES);
            for part in shuffled.chunks(part_rows) {
                merged.merge(&clustered(part));
            }
            prop_assert_eq!(packed(&merged), packed(&whole));
            prop_assert_eq!(merged.estimates(&[]), whole.estimates(&[]));
            prop_assert!(whole.estimates(&[]).iter().all(is_possible));
        }

        #[test]
        fn blocks_are_the_same_whatever_the_batches_and_the_order_of_the_objects(
            (objects, shuffled) in any_objects().prop_flat_map(|objects| (Just(objects.clone()), Just(objects).prop_shuffle())),
            batch_rows in 1_usize..120,
        ) {
            let whole = in_time_order(&objects, 120);
            let mut merged = Dependence::new(FEATURES);
            for object in &shuffled {
                merged.merge(&in_time_order(std::slice::from_ref(object), batch_rows));
            }
            prop_assert_eq!(packed(&merged), packed(&whole));
            prop_assert_eq!(merged.estimates(&[]), whole.estimates(&[]));
            prop_assert!(whole.estimates(&[]).iter().all(is_possible));
        }
    }

    /// Rows that change once in so many, the ranks of the second feature one after the other; no rank in every tenth row.
    fn steps(length: u16) -> Vec<Row> {
        let scattered = |number: u16| 1 + u16::try_from(u32::from(number) * 7_919 % 60_000).unwrap();
        let rank = |row: u16| if row % 10 == 9 { RankTable::NONE } else { scattered(row / length) };
        (0..4_000).map(|row| (Some(u64::from(row / length)), [rank(row), scattered(row)])).collect()
    }

    #[test]
    fn rows_without_a_time_or_a_cluster_are_taken_as_independent() {
        assert_eq!(Dependence::new(FEATURES).estimates(&[]), [Estimate::INDEPENDENT; FEATURES]);
    }

    #[test]
    fn neighbours_that_are_alike_count_as_fewer_rows() {
        let dependence = in_time_order(&[vec![(5, steps(20))]], 500);
        let [alike, apart] = dependence.estimates(&[]).try_into().unwrap();
        assert_eq!((alike.method, apart.method), (Method::Blocks, Method::Blocks));
        // Half of it is the mean of both.
        assert!(alike.design_effect > 4.0 && apart.design_effect < alike.design_effect, "{alike:?} {apart:?}");
    }

    #[test]
    fn members_of_a_cluster_that_are_alike_count_as_fewer_rows() {
        let [alike, apart] = clustered(&steps(20)).estimates(&[]).try_into().unwrap();
        assert_eq!((alike.method, apart.method), (Method::Clusters, Method::Clusters));
        // 18 of 20 rows have a rank, and are all equal: Kish's effect is the size of the cluster.
        assert!((alike.design_effect - 18.0).abs() < 1e-9 && apart.design_effect < 3.0, "{alike:?} {apart:?}");
        assert_eq!(alike.clusters, Some(200));
    }

    #[test]
    fn what_most_rows_have_is_what_counts() {
        let (rows, fewer) = (steps(20), steps(20)[..3_000].to_vec());
        let mut dependence = clustered(&fewer);
        dependence.merge(&in_time_order(&[vec![(5, rows.clone())]], 500));
        assert_eq!(dependence.estimates(&[])[0].method, Method::Blocks);
        let mut dependence = clustered(&rows);
        dependence.merge(&in_time_order(&[vec![(5, rows)]], 500));
        assert_eq!(dependence.estimates(&[])[0].method, Method::Clusters);
    }

    #[test]
    fn rows_in_another_order_are_put_into_that_of_time() {
        let rows = steps(20);
        let reversed: Vec<Row> = rows.iter().rev().copied().collect();
        let mut sorted = Dependence::new(FEATURES);
        sorted.add_in_time_order(Some(5), &Order::Sorted((0..reversed.len()).rev().collect()), &ranks(&reversed));
        let mut standing = Dependence::new(FEATURES);
        standing.add_in_time_order(Some(5), &Order::Standing(0..rows.len()), &ranks(&rows));
        assert_eq!(sorted, standing);
        sorted.close();
        assert_eq!(packed(&sorted), packed(&in_time_order(&[vec![(5, rows)]], 4_000)));
    }

    #[test]
    fn packed_rows_read_back_and_a_feature_can_be_left_out() {
        let mut dependence = clustered(&steps(20)[..50]);
        dependence.merge(&in_time_order(&[vec![(5, steps(20)), (6, steps(7))]], 500));
        let bytes = packed(&dependence);
        let read = Dependence::unpack(FEATURES, &mut Unpacker::new(&bytes)).unwrap();
        assert_eq!(packed(&read), bytes);
        assert_eq!(read.estimates(&[]), dependence.estimates(&[]));
        dependence.retain(&[false, true]);
        assert_eq!((&dependence.clusters[..], &dependence.blocks[..]), (&read.clusters[1..], &read.blocks[1..]));
        assert!(dependence.hours.iter().all(|(hour, sums)| sums[..] == read.hours[hour][1..]));
    }

    #[test]
    fn neighbours_are_of_one_hour_or_of_one_object() {
        let pairs = |parts: &[(Option<i64>, &[u16])]| {
            let mut dependence = Dependence::new(1);
            for (hour, ranks) in parts {
                dependence.add_in_time_order(*hour, &Order::Standing(0..ranks.len()), &[ranks.to_vec()]);
            }
            let pairs = dependence.blocks[0].levels().nth(1).map_or(0, |level| level.blocks);
            (pairs, dependence)
        };
        assert_eq!(pairs(&[(Some(1), &[5]), (Some(1), &[6])]).0, 1);
        assert_eq!(pairs(&[(Some(1), &[5]), (Some(2), &[6])]).0, 0);
        assert_eq!(pairs(&[(None, &[5]), (None, &[6])]).0, 1);
        assert_eq!(pairs(&[(Some(1), &[5]), (None, &[6])]).0, 0);
        let (_, mut dependence) = pairs(&[(Some(1), &[5, 0, 7]), (Some(1), &[9]), (Some(-3), &[4]), (None, &[8])]);
        assert_eq!(
            dependence.hours,
            BTreeMap::from([(-3, vec![HourSum { rows: 1, ranks: 4 }]), (1, vec![HourSum { rows: 3, ranks: 21 }])])
        );
        assert_eq!((dependence.rows_in_blocks, dependence.rows_in_clusters, dependence.open), (6, 0, Some(Stretch::OfAnObject)));
        dependence.close();
        dependence.add_in_time_order(None, &Order::Standing(0..1), &[vec![3]]);
        // Two neighbours are 5 and 7 alone.
        assert_eq!(dependence.blocks[0].levels().map(|level| level.blocks).take(3).collect::<Vec<_>>(), [6, 1, 0]);
    }

    #[test]
    fn a_part_that_follows_another_goes_on_where_that_was_closed() {
        let hours = [(5, steps(20)[..700].to_vec()), (6, steps(7)[..500].to_vec()), (7, steps(3)[..333].to_vec())];
        let add = |dependence: &mut Dependence, hour: i64, rows: &[Row]| {
            dependence.add_in_time_order(Some(hour), &Order::Standing(0..rows.len()), &ranks(rows));
        };
        let mut whole = Dependence::new(FEATURES);
        let (mut first, mut second) = (Dependence::new(FEATURES), Dependence::new(FEATURES));
        for (hour, rows) in &hours {
            add(&mut whole, *hour, rows);
        }
        add(&mut first, 5, &hours[0].1);
        first.close();
        add(&mut second, 6, &hours[1].1);
        add(&mut second, 7, &hours[2].1[..100]);
        first.follow(&second);
        add(&mut first, 7, &hours[2].1[100..]);
        assert_eq!(first, whole);
    }

    #[test]
    fn rows_in_clusters_alone_and_rows_in_order_alone_read_back_too() {
        let mut sparse = steps(20)[..50].to_vec();
        // A cluster without a value of one feature.
        sparse.push((Some(1 << 40), [RankTable::NONE, 7]));
        for dependence in [Dependence::new(FEATURES), clustered(&sparse), in_time_order(&[vec![(-5, steps(20))]], 500)] {
            let bytes = packed(&dependence);
            let mut unpacker = Unpacker::new(&bytes);
            let read = Dependence::unpack(FEATURES, &mut unpacker).unwrap();
            assert!(unpacker.is_empty());
            assert_eq!(packed(&read), bytes);
            assert_eq!(read.estimates(&[]), dependence.estimates(&[]));
        }
        // Ranks have 16 bits.
        let is_read = |ranks: u64| {
            let mut packer = Packer::default();
            // Rows in clusters and in blocks; no level; one hour, the fifth, of three rows.
            for number in [0, 3, 0, 1, 10, 3, ranks] {
                packer.count(number);
            }
            Dependence::unpack(1, &mut Unpacker::new(&packer.into_bytes())).is_some()
        };
        assert!(is_read(3 << 16) && !is_read((3 << 16) + 1));
    }

    #[test]
    fn a_sample_of_clusters_is_told() {
        let clusters: Vec<Option<u64>> = (0..=clusters::MAX_CLUSTERS as u64).map(Some).collect();
        let mut dependence = Dependence::new(0);
        dependence.add_clustered(&clusters[1..], &[]);
        assert!(!dependence.is_sampled());
        dependence.add_clustered(&clusters[..1], &[]);
        assert!(dependence.is_sampled());
    }
}
