//! Dependence within clusters: the intraclass correlation by one-way analysis of variance.

use std::collections::HashMap;

use rayon::prelude::*;

use super::{Estimate, Method};
use crate::profile::packed::{Packer, Unpacker};

/// Clusters that are kept at most. Above, clusters are sampled by their hash, each whole or not at all, so that memory is bounded
/// and parts still merge.
pub const MAX_CLUSTERS: usize = 65_536;

/// The clusters seen, each with a slot in the sums of every feature.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterIndex {
    slots: HashMap<u64, u32>,
    /// Only clusters whose hash ends in this many zero bits are kept.
    sampling_bits: u32,
}

impl ClusterIndex {
    /// The slot of each row's cluster; `None` where the row has none, or its cluster is not in the sample.
    pub fn slots_of(&mut self, rows: &[Option<u64>], features: &mut [ClusterSums]) -> Vec<Option<u32>> {
        let slots: Vec<Option<u32>> = rows.iter().map(|cluster| cluster.and_then(|hash| self.slot(hash))).collect();
        // One batch may go beyond the bound: it has a bounded number of rows.
        match self.shrink(features) {
            None => slots,
            Some(moved) => {
                slots.into_iter().map(|slot| slot.and_then(|slot| moved.get(slot as usize).copied().flatten())).collect()
            }
        }
    }

    fn slot(&mut self, hash: u64) -> Option<u32> {
        if hash.trailing_zeros() < self.sampling_bits {
            return None;
        }
        let next = u32::try_from(self.slots.len()).ok()?;
        Some(*self.slots.entry(hash).or_insert(next))
    }

    /// Takes in another index; the answer is where each of its slots went.
    pub fn merge(&mut self, other: &Self, features: &mut [ClusterSums]) -> Vec<Option<u32>> {
        if other.sampling_bits > self.sampling_bits {
            self.sampling_bits = other.sampling_bits;
            self.drop_unsampled(features);
        }
        let mut entries: Vec<(u64, u32)> = other.slots.iter().map(|(hash, slot)| (*hash, *slot)).collect();
        entries.sort_unstable_by_key(|(_, slot)| *slot);
        let slots: Vec<Option<u32>> = entries.into_iter().map(|(hash, _)| self.slot(hash)).collect();
        match self.shrink(features) {
            None => slots,
            Some(moved) => {
                slots.into_iter().map(|slot| slot.and_then(|slot| moved.get(slot as usize).copied().flatten())).collect()
            }
        }
    }

    fn shrink(&mut self, features: &mut [ClusterSums]) -> Option<Vec<Option<u32>>> {
        let mut moved: Option<Vec<Option<u32>>> = None;
        while self.slots.len() > MAX_CLUSTERS {
            self.sampling_bits += 1;
            let step = self.drop_unsampled(features);
            moved = Some(match moved {
                None => step,
                Some(before) => {
                    before.into_iter().map(|slot| slot.and_then(|slot| step.get(slot as usize).copied().flatten())).collect()
                }
            });
        }
        moved
    }

    /// Drops the clusters that are no longer in the sample; the answer is where each slot went.
    fn drop_unsampled(&mut self, features: &mut [ClusterSums]) -> Vec<Option<u32>> {
        let mut entries: Vec<(u64, u32)> = self.slots.drain().collect();
        entries.sort_unstable_by_key(|(_, slot)| *slot);
        let mut moved = vec![None; entries.len()];
        for (hash, slot) in entries {
            if hash.trailing_zeros() >= self.sampling_bits
                && let (Ok(next), Some(to)) = (u32::try_from(self.slots.len()), moved.get_mut(slot as usize))
            {
                self.slots.insert(hash, next);
                *to = Some(next);
            }
        }
        for sums in features {
            sums.keep(&moved);
        }
        moved
    }

    /// The sums of all features, cluster by cluster in the order of their hashes.
    pub fn pack(&self, features: &[ClusterSums], to: &mut Packer) {
        to.count(self.sampling_bits.into());
        let mut entries: Vec<(u64, u32)> = self.slots.iter().map(|(hash, slot)| (*hash, *slot)).collect();
        entries.sort_unstable();
        to.length(entries.len());
        let mut last = 0;
        for (hash, slot) in entries {
            to.count(hash - last);
            last = hash;
            for sums in features {
                let Cluster { rows, ranks, squares } = sums.clusters.get(slot as usize).copied().unwrap_or_default();
                to.count(rows);
                if rows > 0 {
                    to.count(ranks);
                    to.count(squares);
                }
            }
        }
    }

    /// What was packed of as many features; `None` where it was not.
    pub fn unpack(features: &mut [ClusterSums], from: &mut Unpacker<'_>) -> Option<Self> {
        let sampling_bits = u32::try_from(from.count()?).ok().filter(|bits| *bits <= u64::BITS)?;
        let mut slots = HashMap::new();
        let mut hash = 0_u64;
        for slot in 0..from.length().filter(|clusters| *clusters <= MAX_CLUSTERS)? {
            hash = hash.checked_add(from.count()?)?;
            slots.insert(hash, u32::try_from(slot).ok()?);
            for sums in features.iter_mut() {
                let rows = from.rows()?;
                let (ranks, squares) = if rows > 0 { (from.count()?, from.count()?) } else { (0, 0) };
                // Ranks have 16 bits: what is no sum of so many is none.
                (ranks <= rows << 16 && u128::from(squares) <= u128::from(rows) << 32).then_some(())?;
                sums.clusters.push(Cluster { rows, ranks, squares });
            }
        }
        Some(Self { slots, sampling_bits })
    }

    /// Whether only a sample of the clusters is kept.
    pub fn is_sampled(&self) -> bool {
        self.sampling_bits > 0
    }
}

/// The sums of one feature: per cluster the number and the sum of its ranks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterSums {
    clusters: Vec<Cluster>,
}

/// The rows of one cluster, the sum of their ranks and that of the squares of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cluster {
    pub rows: u64,
    pub ranks: u64,
    pub squares: u64,
}

impl ClusterSums {
    pub fn add(&mut self, slot: u32, rank: u64) {
        self.add_sums(slot, Cluster { rows: 1, ranks: rank, squares: rank * rank });
    }

    /// Adds rows that were summed elsewhere.
    pub fn add_sums(&mut self, slot: u32, more: Cluster) {
        let slot = slot as usize;
        if slot >= self.clusters.len() {
            self.clusters.resize(slot + 1, Cluster::default());
        }
        if let Some(cluster) = self.clusters.get_mut(slot) {
            cluster.rows += more.rows;
            cluster.ranks += more.ranks;
            cluster.squares += more.squares;
        }
    }

    /// Adds the sums of another part, whose slots are to be read through `slots`.
    pub fn merge(&mut self, other: &Self, slots: &[Option<u32>]) {
        for (cluster, slot) in other.clusters.iter().zip(slots) {
            if let Some(slot) = slot {
                self.add_sums(*slot, *cluster);
            }
        }
    }

    fn keep(&mut self, moved: &[Option<u32>]) {
        let before = Self { clusters: std::mem::take(&mut self.clusters) };
        self.merge(&before, moved);
    }

    /// One-way random effects: `ρ = (MSB − MSW) / (MSB + (n₀ − 1)·MSW)` with `n₀ = (n − Σm²/n)/(g − 1)`, clamped to [0, 1]
    /// (Donner 1986, doi:10.2307/1403259), and Kish's design effect `1 + (Σm²/n − 1)·ρ` (Kish 1965).
    ///
    /// Few clusters tell little of ρ, so `known`, the reference's, counts where it is larger. With neither, rows of one cluster
    /// are taken as one observation.
    pub fn estimate(&self, known: Option<f64>) -> Estimate {
        let mut clusters: Vec<&Cluster> = self.clusters.iter().filter(|cluster| cluster.rows > 0).collect();
        // Sums of doubles are the same to the last bit only in the same order, and that of the slots is the order of reading.
        clusters.par_sort_unstable();
        let groups = clusters.len() as f64;
        let rows = clusters.iter().map(|cluster| cluster.rows as f64).sum::<f64>();
        if rows <= 0.0 {
            return Estimate { method: Method::Clusters, clusters: Some(0), ..Estimate::INDEPENDENT };
        }
        let weighted_size = clusters.iter().map(|cluster| (cluster.rows as f64).powi(2)).sum::<f64>() / rows;
        let own = correlation(&clusters, rows, groups, weighted_size);
        let correlation = match (own, known) {
            (Some(own), Some(known)) => own.max(known),
            (own, known) => own.or(known).unwrap_or(1.0),
        };
        Estimate {
            method: Method::Clusters,
            design_effect: 1.0 + (weighted_size - 1.0).max(0.0) * correlation,
            intraclass_correlation: own,
            clusters: Some(clusters.len() as u64),
        }
    }
}

/// `None` where it cannot be computed: one cluster, clusters of one row each, or no variance.
fn correlation(clusters: &[&Cluster], rows: f64, groups: f64, weighted_size: f64) -> Option<f64> {
    if groups < 2.0 || rows <= groups {
        return None;
    }
    let mean = clusters.iter().map(|cluster| cluster.ranks as f64).sum::<f64>() / rows;
    let (mut between, mut within) = (0.0, 0.0);
    for cluster in clusters {
        let (size, sum) = (cluster.rows as f64, cluster.ranks as f64);
        between += size * (sum / size - mean).powi(2);
        within += (cluster.squares as f64 - sum * sum / size).max(0.0);
    }
    let (between, within) = (between / (groups - 1.0), within / (rows - groups));
    let typical_size = (rows - weighted_size) / (groups - 1.0);
    let total = between + (typical_size - 1.0) * within;
    // A feature with one value has no variance to share.
    (total > 0.0).then(|| ((between - within) / total).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(groups: &[&[u64]]) -> ClusterSums {
        let mut sums = ClusterSums::default();
        for (slot, ranks) in groups.iter().enumerate() {
            for rank in *ranks {
                sums.add(u32::try_from(slot).unwrap(), *rank);
            }
        }
        sums
    }

    #[test]
    fn the_correlation_of_a_small_table_is_that_of_the_textbook() {
        // By hand: means 2, 5, 8; MSB = 3·(9 + 0 + 9)/2 = 27, MSW = 6/6 = 1, n₀ = 3: (27 − 1)/(27 + 2) = 26/29.
        let estimate = sums(&[&[1, 2, 3], &[4, 5, 6], &[7, 8, 9]]).estimate(None);
        assert!((estimate.intraclass_correlation.unwrap() - 26.0 / 29.0).abs() < 1e-12);
        assert!((estimate.design_effect - (1.0 + 2.0 * 26.0 / 29.0)).abs() < 1e-12);
    }

    #[test]
    fn clusters_of_one_row_are_independent_rows() {
        assert!((sums(&[&[1], &[5], &[2]]).estimate(Some(0.9)).design_effect - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_single_cluster_is_one_observation_unless_the_reference_knows_better() {
        assert!((sums(&[&[1, 5, 9, 4]]).estimate(None).design_effect - 4.0).abs() < 1e-12);
        assert!((sums(&[&[1, 5, 9, 4]]).estimate(Some(0.5)).design_effect - 2.5).abs() < 1e-12);
    }

    #[test]
    fn a_constant_feature_has_no_correlation_of_its_own() {
        assert_eq!(sums(&[&[3, 3], &[3, 3]]).estimate(Some(0.2)).intraclass_correlation, None);
    }

    #[test]
    fn any_split_merges_to_the_single_pass_also_when_clusters_are_sampled() {
        let count = MAX_CLUSTERS as u64 + 5_000;
        // Hashes as a good hash function spreads them.
        let rows: Vec<(u64, u64)> =
            (0..2 * count).map(|i| ((i % count).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 << 63, i % 1_000)).collect();
        let read = |rows: &[(u64, u64)]| {
            let (mut index, mut features) = (ClusterIndex::default(), vec![ClusterSums::default()]);
            for chunk in rows.chunks(8_192) {
                let hashes: Vec<Option<u64>> = chunk.iter().map(|(hash, _)| Some(*hash)).collect();
                let slots = index.slots_of(&hashes, &mut features);
                for (slot, (_, rank)) in slots.iter().zip(chunk) {
                    if let Some(slot) = slot {
                        features[0].add(*slot, *rank);
                    }
                }
            }
            (index, features)
        };
        let (whole_index, whole) = read(&rows);
        assert!(whole_index.is_sampled() && whole_index.slots.len() <= MAX_CLUSTERS);
        let ((mut index, mut left), (right_index, right)) = (read(&rows[..50_000]), read(&rows[50_000..]));
        let slots = index.merge(&right_index, &mut left);
        left[0].merge(&right[0], &slots);
        assert_eq!(index.slots.len(), whole_index.slots.len());
        let (merged, single) = (left[0].estimate(None), whole[0].estimate(None));
        assert!((merged.design_effect - single.design_effect).abs() < 1e-9);
        assert_eq!(merged.clusters, single.clusters);
    }

    /// (F − 1)/(F + n₀ − 1) with F of scipy.stats.f_oneway (1.17), and n₀ and Kish's effect by hand.
    #[test]
    fn the_correlation_of_clusters_of_any_size_is_that_of_the_analysis_of_variance() {
        let cases: [(&[&[u64]], f64, f64); 3] = [
            (&[&[3, 9, 7], &[12, 15], &[40, 38, 45, 41, 36], &[20]], 0.970_495_311_156_119, 3.470_351_701_124_666_3),
            (&[&[1, 2, 3], &[4, 5, 6]], 0.806_451_612_903_225_8, 2.612_903_225_806_451_5),
            (&[&[10, 30, 20, 25], &[28, 12], &[33, 21, 40]], 0.081_561_658_708_440_76, 1.181_248_130_463_201_7),
        ];
        for (groups, correlation, design_effect) in cases {
            let estimate = sums(groups).estimate(None);
            assert!((estimate.intraclass_correlation.unwrap() - correlation).abs() < 1e-12, "{estimate:?}");
            assert!((estimate.design_effect - design_effect).abs() < 1e-12, "{estimate:?}");
            assert_eq!((estimate.method, estimate.clusters), (Method::Clusters, Some(groups.len() as u64)));
        }
        // Rows that are less alike within a cluster than beyond it are no evidence of more than their number.
        assert!((sums(&[&[1, 9], &[2, 8], &[3, 7]]).estimate(None).design_effect - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_larger_of_the_own_and_the_known_correlation_counts() {
        let effect = |known| sums(&[&[10, 30, 20, 25], &[28, 12], &[33, 21, 40]]).estimate(Some(known)).design_effect;
        // Σm²/n = 29/9.
        assert!((effect(0.5) - (1.0 + 20.0 / 9.0 * 0.5)).abs() < 1e-12);
        assert!((effect(0.05) - 1.181_248_130_463_201_7).abs() < 1e-12);
    }

    #[test]
    fn a_cluster_without_a_value_is_none() {
        assert_eq!(sums(&[&[1, 2], &[], &[3, 4]]).estimate(None).clusters, Some(2));
        let nothing = Estimate { method: Method::Clusters, clusters: Some(0), ..Estimate::INDEPENDENT };
        assert_eq!((sums(&[]).estimate(Some(0.5)), sums(&[&[], &[]]).estimate(None)), (nothing, nothing));
    }

    /// Clusters of one row each, whose rank tells their number.
    fn read(hashes: &[u64]) -> (ClusterIndex, Vec<ClusterSums>, Vec<Option<u32>>) {
        let (mut index, mut features) = (ClusterIndex::default(), vec![ClusterSums::default()]);
        let hashes: Vec<Option<u64>> = hashes.iter().copied().map(Some).collect();
        let slots = index.slots_of(&hashes, &mut features);
        for (slot, rank) in slots.iter().zip(0..) {
            if let Some(slot) = slot {
                features[0].add(*slot, rank);
            }
        }
        (index, features, slots)
    }

    #[test]
    fn as_many_clusters_as_are_kept_are_no_sample_and_one_more_is() {
        let hashes: Vec<u64> = (1..=MAX_CLUSTERS as u64 + 1).collect();
        let (index, ..) = read(&hashes[..MAX_CLUSTERS]);
        assert!(!index.is_sampled() && index.slots.len() == MAX_CLUSTERS);
        let (index, features, slots) = read(&hashes);
        assert!(index.is_sampled() && index.slots.len() == MAX_CLUSTERS / 2);
        assert!(hashes.iter().zip(&slots).all(|(hash, slot)| slot.is_some() == hash.is_multiple_of(2)));
        assert_eq!(features[0].estimate(None).clusters, Some(MAX_CLUSTERS as u64 / 2));
    }

    #[test]
    fn clusters_are_sampled_until_they_are_few_enough_and_what_is_kept_keeps_its_sums() {
        // Halved twice: no hash ends in a one.
        let hashes: Vec<u64> = (1..=MAX_CLUSTERS as u64 + 4).map(|number| 2 * number).collect();
        let (mut index, mut features, _) = read(&hashes[..MAX_CLUSTERS]);
        assert!(!index.is_sampled());
        let rows: Vec<Option<u64>> = hashes[MAX_CLUSTERS..].iter().copied().map(Some).chain([None]).collect();
        let slots = index.slots_of(&rows, &mut features);
        assert_eq!(index.sampling_bits, 2);
        assert_eq!(index.slots.len(), MAX_CLUSTERS / 2 + 2);
        assert_eq!(slots.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, true, false]);
        assert_eq!(slots[3], index.slots.get(&hashes[MAX_CLUSTERS + 3]).copied());
        for (hash, rank) in hashes[..MAX_CLUSTERS].iter().zip(0..) {
            let slot = index.slots.get(hash);
            assert_eq!(slot.is_some(), hash.is_multiple_of(4));
            let expected = Cluster { rows: 1, ranks: rank, squares: rank * rank };
            assert!(slot.is_none_or(|slot| features[0].clusters[*slot as usize] == expected));
        }
        // What was sampled and what was not merge to the same, whichever takes in the other.
        let (mut all, mut others, _) = read(&hashes[..10]);
        let (_, expected, _) = read(&hashes[..10]);
        let moved = all.merge(&index, &mut others);
        assert_eq!((all.sampling_bits, all.slots.len(), moved.len()), (2, index.slots.len(), index.slots.len()));
        for (hash, slot) in &index.slots {
            assert_eq!(moved[*slot as usize], all.slots.get(hash).copied());
        }
        for (hash, rank) in hashes[..10].iter().zip(0_usize..).filter(|(hash, _)| hash.is_multiple_of(4)) {
            assert_eq!(others[0].clusters[all.slots[hash] as usize], expected[0].clusters[rank]);
        }
        let (few, ..) = read(&hashes[..10]);
        let moved = index.merge(&few, &mut features);
        assert_eq!(moved.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true].repeat(5));
        assert_eq!(moved[3], index.slots.get(&hashes[3]).copied());
    }

    #[test]
    fn an_index_that_grows_too_large_by_merging_is_sampled() {
        let hashes: Vec<u64> = (1..=MAX_CLUSTERS as u64 + 2).collect();
        let ((mut index, mut left, _), (other, right, _)) = (read(&hashes[..40_000]), read(&hashes[40_000..]));
        let slots = index.merge(&other, &mut left);
        left[0].merge(&right[0], &slots);
        assert_eq!((index.sampling_bits, index.slots.len()), (1, MAX_CLUSTERS / 2 + 1));
        assert_eq!(left[0].estimate(None).clusters, Some(MAX_CLUSTERS as u64 / 2 + 1));
        assert_eq!(left[0].clusters[index.slots[&hashes[40_001]] as usize], Cluster { rows: 1, ranks: 1, squares: 1 });
    }

    #[test]
    fn packed_clusters_read_back_and_what_no_ranks_come_to_is_refused() {
        let mut index = ClusterIndex::default();
        let mut features = vec![ClusterSums::default(), ClusterSums::default()];
        let slots = index.slots_of(&[Some(7), Some(u64::MAX), Some(3)], &mut features);
        features[0].add(slots[0].unwrap(), 65_535);
        features[0].add(slots[2].unwrap(), 5);
        features[0].add(slots[2].unwrap(), 9);
        features[1].add(slots[1].unwrap(), 40_000);
        let mut packer = Packer::default();
        index.pack(&features, &mut packer);
        let bytes = packer.into_bytes();
        let (mut read, mut unpacker) = (vec![ClusterSums::default(); 2], Unpacker::new(&bytes));
        let found = ClusterIndex::unpack(&mut read, &mut unpacker).unwrap();
        assert!(unpacker.is_empty());
        // In the order of the hashes.
        assert_eq!(found.slots, HashMap::from([(3, 0), (7, 1), (u64::MAX, 2)]));
        let none = Cluster::default();
        let one = |rank: u64| Cluster { rows: 1, ranks: rank, squares: rank * rank };
        assert_eq!(read[0].clusters, [Cluster { rows: 2, ranks: 14, squares: 106 }, one(65_535), none]);
        assert_eq!(read[1].clusters, [none, none, one(40_000)]);

        let is_read = |bits: u64, hashes: &[u64], ranks: u64, squares: u64| {
            let mut packer = Packer::default();
            packer.count(bits);
            packer.length(hashes.len());
            for hash in hashes {
                for number in [*hash, 1, ranks, squares] {
                    packer.count(number);
                }
            }
            ClusterIndex::unpack(&mut [ClusterSums::default()], &mut Unpacker::new(&packer.into_bytes())).is_some()
        };
        assert!(is_read(64, &[5], 1 << 16, 1 << 32));
        assert!(!is_read(65, &[5], 1 << 16, 1 << 32));
        assert!(!is_read(0, &[5], (1 << 16) + 1, 1 << 32) && !is_read(0, &[5], 1 << 16, (1 << 32) + 1));
        // The hashes are told by their differences.
        assert!(is_read(0, &[u64::MAX - 1, 1], 1, 1) && !is_read(0, &[u64::MAX - 1, 2], 1, 1));
        let many: Vec<u64> = vec![1; MAX_CLUSTERS + 1];
        assert!(is_read(0, &many[1..], 1, 1) && !is_read(0, &many, 1, 1));
    }
}
