//! Profiles: what is kept of the reference, and the counts that the rows of a window are reduced to.
//!
//! A reference profile holds, per feature, the grid of reference values (or the categories) and the reference's own counts over
//! it. The rows of a window become counts over the same grid. All of them are integers and merge by addition, so a window's counts are
//! the same whatever the order of the rows and the number of threads. Memory depends on the reference, never on the rows of a window.

pub mod beyond;
mod bounded;
pub mod builder;
pub mod categories;
pub mod cells;
pub mod counts;
pub mod dependence;
pub mod exact;
pub mod grid;
pub mod joint;
pub mod locator;
pub mod moments;
pub mod packed;
pub mod ranks;
pub mod recent;
pub mod stored;
pub mod table;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::feature::{ColumnBatch, FeatureKind, FeatureName};
use crate::parallel::columns_a_task;
use categories::{Categories, CategoryCounts};
use counts::NumericCounts;
use dependence::{Dependence, Estimate};
use grid::Grid;
use joint::{CrossProducts, JointProfile};
use packed::{Packer, Unpacker};
use table::FeatureTable;

/// How the rows of one feature divide into usable values and the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presence {
    /// All rows.
    pub rows: u64,
    /// Rows whose cell is empty.
    pub missing: u64,
    /// Rows of objects that have no such column.
    pub absent: u64,
    /// Rows whose cell is of another type.
    pub wrong_type: u64,
    /// Rows whose value is NaN or infinite.
    pub non_finite: u64,
}

impl Presence {
    /// Rows with a usable value.
    pub fn usable(&self) -> u64 {
        self.rows - self.without_value() - self.non_finite
    }

    /// Rows without a value of the feature's type: missing, absent or of another type.
    pub fn without_value(&self) -> u64 {
        self.missing + self.absent + self.wrong_type
    }

    fn pack(&self, to: &mut Packer) {
        for count in [self.rows, self.missing, self.absent, self.wrong_type, self.non_finite] {
            to.count(count);
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Option<Self> {
        let [rows, missing, absent, wrong_type, non_finite] = [(); 5].map(|()| from.count());
        let read = Self { rows: rows?, missing: missing?, absent: absent?, wrong_type: wrong_type?, non_finite: non_finite? };
        read.is_sound().then_some(read)
    }

    /// Whether the parts fit into the rows, and these into any log.
    fn is_sound(&self) -> bool {
        let parts = [self.missing, self.absent, self.wrong_type, self.non_finite];
        let sum = parts.into_iter().try_fold(0_u64, u64::checked_add);
        self.rows < packed::MOST_ROWS && sum.is_some_and(|sum| sum <= self.rows)
    }

    fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.missing += other.missing;
        self.absent += other.absent;
        self.wrong_type += other.wrong_type;
        self.non_finite += other.non_finite;
    }
}

/// One feature of the reference.
#[derive(Clone, Debug, PartialEq)]
pub enum FeatureProfile {
    Numeric { grid: Grid, reference: NumericCounts, dependence: Estimate },
    Categorical { categories: Categories, reference: CategoryCounts, dependence: Estimate },
}

impl FeatureProfile {
    pub fn kind(&self) -> FeatureKind {
        match self {
            Self::Numeric { .. } => FeatureKind::Numeric,
            Self::Categorical { .. } => FeatureKind::Categorical,
        }
    }

    /// How many rows of the reference one independent observation takes.
    pub fn dependence(&self) -> &Estimate {
        match self {
            Self::Numeric { dependence, .. } | Self::Categorical { dependence, .. } => dependence,
        }
    }

    fn dependence_mut(&mut self) -> &mut Estimate {
        match self {
            Self::Numeric { dependence, .. } | Self::Categorical { dependence, .. } => dependence,
        }
    }

    pub fn presence(&self) -> &Presence {
        match self {
            Self::Numeric { reference, .. } => &reference.presence,
            Self::Categorical { reference, .. } => &reference.presence,
        }
    }
}

/// An object that the reference was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileObject {
    pub uri: String,
    pub generation: String,
    pub size_bytes: u64,
    pub rows: u64,
}

/// Everything that is kept of the reference.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceProfile {
    /// The first 16 hexadecimal digits of the SHA-256 of the stored form: what names this reference. Features that are left out later do
    /// not change it.
    pub id: String,
    pub rows: u64,
    pub objects: Vec<ProfileObject>,
    /// In the order of their columns.
    pub features: Vec<(FeatureName, FeatureProfile)>,
    /// How the numeric features move together; `None` where that is not asked for.
    pub joint: Option<JointProfile>,
    /// Which of `features` are what the model said (class, confidence): they are compared too, and never count among the features. The
    /// configuration says so, not the stored profile.
    pub predictions: Vec<FeatureName>,
}

impl ReferenceProfile {
    pub fn feature(&self, name: &str) -> Option<&FeatureProfile> {
        self.features.iter().find(|(candidate, _)| candidate.as_str() == name).map(|(_, profile)| profile)
    }

    /// Names the profile by its stored form, once it is complete.
    ///
    /// # Errors
    /// As [`Self::to_json`].
    pub fn named(mut self) -> Result<Self, serde_json::Error> {
        self.id = short_digest(&self.to_json()?);
        Ok(self)
    }

    /// Empty counts over this profile's features.
    pub fn empty_counts(&self) -> WindowCounts {
        let features = self.features.iter().map(|(_, profile)| FeatureCounts::empty(profile)).collect();
        let joint = CrossProducts::new(self.joint_positions().len());
        WindowCounts { features, dependence: Dependence::new(self.features.len()), joint }
    }

    /// The positions in `features` of those whose relations are kept.
    pub fn joint_positions(&self) -> Vec<usize> {
        let names = self.joint.iter().flat_map(|joint| &joint.features);
        names.filter_map(|name| self.features.iter().position(|(known, _)| known == name)).collect()
    }

    /// Keeps the features for which `keep` is true.
    pub fn retain(&mut self, keep: impl Fn(&FeatureName) -> bool) {
        self.features.retain(|(name, _)| keep(name));
        if let Some(joint) = &mut self.joint {
            joint.retain(keep);
        }
    }

    /// The numeric features whose values are not tied, where they are at least two and at most `most`: those whose relations can be kept.
    pub fn joint_candidates(&self, most: usize) -> Option<Vec<FeatureName>> {
        let untied = |feature: &FeatureProfile| match feature {
            FeatureProfile::Numeric { reference, .. } => reference.largest_tie() <= joint::LARGEST_TIE,
            FeatureProfile::Categorical { .. } => false,
        };
        let candidates = self.features.iter().filter(|(name, feature)| untied(feature) && !self.predictions.contains(name));
        let names: Vec<FeatureName> = candidates.map(|(name, _)| name.clone()).collect();
        (2..=most).contains(&names.len()).then_some(names)
    }

    /// Asks for the relations between the [`Self::joint_candidates`].
    #[must_use]
    pub fn with_joint(mut self, most: usize) -> Self {
        self.joint = self.joint_candidates(most).map(JointProfile::of);
        self
    }

    /// Remembers what the reference's rows tell when they are counted over its own profile: how dependent they are, and how its
    /// features move together.
    pub fn learn(&mut self, counts: &WindowCounts) {
        for ((_, feature), estimate) in self.features.iter_mut().zip(counts.dependence.estimates(&[])) {
            *feature.dependence_mut() = estimate;
        }
        if let Some(joint) = &mut self.joint {
            joint.pairs = counts.joint.pairs();
        }
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of some bytes.
pub fn short_digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let head = digest.iter().take(8).fold(0_u64, |head, &byte| head << 8 | u64::from(byte));
    format!("{head:016x}")
}

/// The counts of one feature over the rows of a window.
#[derive(Clone, Debug, PartialEq)]
pub enum FeatureCounts {
    Numeric(NumericCounts),
    Categorical(CategoryCounts),
}

impl FeatureCounts {
    pub fn empty(profile: &FeatureProfile) -> Self {
        match profile {
            FeatureProfile::Numeric { grid, .. } => Self::Numeric(NumericCounts::empty(grid)),
            FeatureProfile::Categorical { categories, .. } => Self::Categorical(CategoryCounts::empty(categories)),
        }
    }

    pub fn presence(&self) -> &Presence {
        match self {
            Self::Numeric(counts) => &counts.presence,
            Self::Categorical(counts) => &counts.presence,
        }
    }

    /// Counts one batch of the feature's column. A batch of the other kind counts as rows of another type. Where `ranks` is given, the rank
    /// of every row is appended if the batch has values of the feature's kind.
    pub fn update(&mut self, profile: &FeatureProfile, table: &FeatureTable, batch: ColumnBatch<'_>, ranks: Option<&mut Vec<u16>>) {
        match (self, profile, table, batch) {
            (Self::Numeric(counts), _, FeatureTable::Numeric { locator, ranks: table }, ColumnBatch::Numeric(values)) => {
                counts.update(locator, values, ranks.map(|ranks| (table, ranks)));
            }
            (
                Self::Categorical(counts),
                FeatureProfile::Categorical { categories, .. },
                FeatureTable::Categorical { ranks: table },
                ColumnBatch::Categorical { codes, dictionary },
            ) => counts.update(categories, codes, dictionary, ranks.map(|ranks| (table, ranks))),
            (counts, _, _, batch) => counts.presence_mut().add_unusable(batch),
        }
    }

    /// Adds the counts of other rows.
    pub fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Numeric(counts), Self::Numeric(other)) => counts.merge(other),
            (Self::Categorical(counts), Self::Categorical(other)) => counts.merge(other),
            // Both sides were made from one profile; were they not, their rows would still be accounted for.
            (counts, other) => counts.presence_mut().merge(other.presence()),
        }
    }

    /// Packs what [`WindowCounts::unpack`] gives back.
    pub fn pack(&self, to: &mut Packer) {
        match self {
            Self::Numeric(counts) => counts.pack(to),
            Self::Categorical(counts) => counts.pack(to),
        }
    }

    pub fn presence_mut(&mut self) -> &mut Presence {
        match self {
            Self::Numeric(counts) => &mut counts.presence,
            Self::Categorical(counts) => &mut counts.presence,
        }
    }
}

impl Presence {
    /// Counts the rows of a batch that has no usable values.
    fn add_unusable(&mut self, batch: ColumnBatch<'_>) {
        match batch {
            ColumnBatch::Absent { rows } => {
                self.rows += rows as u64;
                self.absent += rows as u64;
            }
            ColumnBatch::WrongType { rows } => {
                self.rows += rows as u64;
                self.wrong_type += rows as u64;
            }
            ColumnBatch::Numeric(values) => self.add_unusable(ColumnBatch::WrongType { rows: values.len() }),
            ColumnBatch::Categorical { codes, .. } => self.add_unusable(ColumnBatch::WrongType { rows: codes.len() }),
        }
    }
}

/// The counts of a window: one entry per feature of the profile, in its order.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowCounts {
    pub features: Vec<FeatureCounts>,
    pub dependence: Dependence,
    /// Over the features that the profile keeps the relations of.
    pub joint: CrossProducts,
}

impl WindowCounts {
    /// Adds the counts of other rows over the same profile.
    pub fn merge(&mut self, other: &Self) {
        for (counts, other) in self.features.iter_mut().zip(&other.features) {
            counts.merge(other);
        }
        self.merge_relations(other);
    }

    /// Packs closed counts; the features side by side.
    pub fn pack(&self, to: &mut Packer) {
        let pack = |counts: &FeatureCounts| {
            let mut part = Packer::default();
            counts.pack(&mut part);
            part
        };
        let rows = self.features.first().map_or(0, |counts| counts.presence().rows);
        let parts: Vec<Packer> = self.features.par_iter().with_min_len(columns_a_task(rows)).map(pack).collect();
        for part in &parts {
            to.part(part);
        }
        self.pack_relations(to);
    }

    /// What [`Self::pack`] packs after the features, each of which is a part.
    pub fn pack_relations(&self, to: &mut Packer) {
        self.dependence.pack(to);
        self.joint.pack(to);
    }

    /// Adds what was counted beside the features.
    pub fn merge_relations(&mut self, other: &Self) {
        self.dependence.merge(&other.dependence);
        self.joint.merge(&other.joint);
    }

    /// What was packed over the same profile of so many rows; `None` where it was not.
    pub fn unpack(profile: &ReferenceProfile, rows: u64, from: &mut Unpacker<'_>) -> Option<Self> {
        let parts: Vec<Unpacker<'_>> = profile.features.iter().map(|_| from.part()).collect::<Option<_>>()?;
        let unpack = |((_, feature), mut part): (&(FeatureName, FeatureProfile), Unpacker<'_>)| {
            let counts = match feature {
                FeatureProfile::Numeric { grid, .. } => {
                    let mut counts = NumericCounts::empty(grid);
                    counts.unpack_into(&mut part)?;
                    FeatureCounts::Numeric(Some(counts).filter(|counts| counts.fits(grid))?)
                }
                FeatureProfile::Categorical { categories, .. } => {
                    FeatureCounts::Categorical(CategoryCounts::unpack(categories, &mut part)?)
                }
            };
            Some(counts).filter(|counts| part.is_empty() && counts.presence().rows == rows)
        };
        let tasks = profile.features.par_iter().zip(parts).with_min_len(columns_a_task(rows));
        let features = tasks.map(unpack).collect::<Option<_>>()?;
        let dependence = Dependence::unpack(profile.features.len(), from)?;
        Some(Self { features, dependence, joint: CrossProducts::unpack(profile.joint_positions().len(), from)? })
    }

    /// Makes looking at one cell after the other quick.
    pub fn spread(&mut self) {
        for counts in &mut self.features {
            if let FeatureCounts::Numeric(counts) = counts {
                counts.spread();
            }
        }
    }

    /// Keeps the features of `profile`, over which they were counted, for which `keep` is true.
    pub fn retain(&mut self, profile: &ReferenceProfile, keep: &[bool]) {
        let is_kept = |position: usize| keep.get(position).copied().unwrap_or(false);
        let joint: Vec<bool> = profile.joint_positions().into_iter().map(is_kept).collect();
        self.joint.retain(&joint);
        let mut flags = keep.iter();
        self.features.retain(|_| flags.next().is_none_or(|keep| *keep));
        self.dependence.retain(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::MISSING;
    use builder::ProfileBuilder;

    const PRESENCE: Presence = Presence { rows: 100, missing: 2, absent: 3, wrong_type: 5, non_finite: 7 };

    /// Two numeric features, one that is nearly constant, a categorical one, and what the model said.
    fn profile() -> ReferenceProfile {
        use FeatureKind::{Categorical, Numeric};
        let kinds = [("x", Numeric), ("tied", Numeric), ("label", Categorical), ("y", Numeric), ("score", Numeric)];
        let mut builder = ProfileBuilder::new(&kinds.map(|(name, kind)| (FeatureName::from(name), kind)));
        let values: Vec<f64> = (0..40).map(f64::from).collect();
        let turned: Vec<f64> = values.iter().map(|value| (value * 7.0) % 40.0).collect();
        let dictionary = ["a".to_owned(), "b".to_owned()];
        let label = ColumnBatch::Categorical { codes: &[0, 1, 0, 0].repeat(10), dictionary: &dictionary };
        let numeric = ColumnBatch::Numeric;
        builder.update([numeric(&values), numeric(&[1.0, 1.0, 2.0, 3.0].repeat(10)), label, numeric(&turned), numeric(&values)]);
        let mut profile = builder.finish(Vec::new());
        profile.predictions = vec![FeatureName::from("score")];
        profile
    }

    fn names(of: &[&str]) -> Vec<FeatureName> {
        of.iter().map(|name| FeatureName::from(*name)).collect()
    }

    /// Counts of one column each for the features of [`profile`].
    fn counted(profile: &ReferenceProfile, values: &[f64]) -> WindowCounts {
        let mut counts = profile.empty_counts();
        for ((_, feature), counts) in profile.features.iter().zip(&mut counts.features) {
            counts.update(feature, &FeatureTable::of(feature), ColumnBatch::Numeric(values), None);
        }
        counts
    }

    #[test]
    fn every_row_is_usable_or_something_else() {
        assert_eq!((PRESENCE.without_value(), PRESENCE.usable()), (10, 83));
    }

    #[test]
    fn presences_add_part_by_part() {
        let mut sum = PRESENCE;
        sum.merge(&Presence { rows: 50, missing: 11, absent: 13, wrong_type: 17, non_finite: 4 });
        assert_eq!(sum, Presence { rows: 150, missing: 13, absent: 16, wrong_type: 22, non_finite: 11 });
    }

    #[test]
    fn a_presence_reads_back_as_it_was_packed_and_none_does_that_cannot_be() {
        let read = |presence: Presence| {
            let mut packer = Packer::default();
            presence.pack(&mut packer);
            Presence::unpack(&mut Unpacker::new(&packer.into_bytes()))
        };
        assert_eq!(read(PRESENCE), Some(PRESENCE));
        let full = Presence { rows: 17, ..PRESENCE };
        assert_eq!(read(full), Some(full));
        assert_eq!(read(Presence { rows: 16, ..PRESENCE }), None);
        assert_eq!(read(Presence { missing: u64::MAX, ..PRESENCE }), None);
        let most = Presence { rows: packed::MOST_ROWS - 1, ..PRESENCE };
        assert_eq!(read(most), Some(most));
        assert_eq!(read(Presence { rows: packed::MOST_ROWS, ..PRESENCE }), None);
    }

    #[test]
    fn rows_without_the_column_or_of_another_type_are_accounted_for() {
        let profile = profile();
        let (_, feature) = &profile.features[0];
        let mut counts = FeatureCounts::empty(feature);
        let dictionary = ["a".to_owned()];
        let labels = ColumnBatch::Categorical { codes: &[0, 0, 0, 0], dictionary: &dictionary };
        for batch in [ColumnBatch::Absent { rows: 3 }, ColumnBatch::WrongType { rows: 2 }, labels, ColumnBatch::Absent { rows: 1 }]
        {
            counts.update(feature, &FeatureTable::of(feature), batch, None);
        }
        assert_eq!(*counts.presence(), Presence { rows: 10, absent: 4, wrong_type: 6, ..Presence::default() });
        let (_, label) = &profile.features[2];
        let mut others = FeatureCounts::empty(label);
        others.update(label, &FeatureTable::of(label), ColumnBatch::Numeric(&[1.0, MISSING]), None);
        assert_eq!(*others.presence(), Presence { rows: 2, wrong_type: 2, ..Presence::default() });
        counts.merge(&others);
        assert_eq!(*counts.presence(), Presence { rows: 12, absent: 4, wrong_type: 8, ..Presence::default() });
    }

    /// With `printf abc | sha256sum`.
    #[test]
    fn a_digest_is_the_start_of_sha_256() {
        assert_eq!(short_digest(b"abc"), "ba7816bf8f01cfea");
        assert_eq!(short_digest(b""), "e3b0c44298fc1c14");
    }

    #[test]
    fn a_profile_is_named_by_what_is_stored() {
        let profile = profile();
        let digest = short_digest(&profile.to_json().unwrap());
        assert_eq!(profile.named().unwrap().id, digest);
    }

    #[test]
    fn features_are_found_by_their_names() {
        let profile = profile();
        assert_eq!(profile.feature("label").unwrap().kind(), FeatureKind::Categorical);
        assert_eq!(profile.feature("y").unwrap().kind(), FeatureKind::Numeric);
        assert_eq!(profile.feature("x").unwrap().presence().rows, 40);
        assert_eq!(profile.feature("z"), None);
    }

    #[test]
    fn untied_numeric_features_move_together_and_predictions_do_not() {
        let profile = profile();
        assert_eq!(profile.joint_candidates(2), Some(names(&["x", "y"])));
        assert_eq!(profile.joint_candidates(1), None);
        assert_eq!(profile.clone().with_joint(1).joint, None);
        let joint = profile.with_joint(9);
        assert_eq!(joint.joint_positions(), [0, 3]);
        assert_eq!(joint.empty_counts().joint, CrossProducts::new(2));
    }

    #[test]
    fn features_that_are_left_out_leave_counts_and_relations_too() {
        let mut profile = profile().with_joint(9);
        let mut counts = counted(&profile, &[1.0, 2.0]);
        let whole = counts.clone();
        counts.retain(&profile, &[true, false, false, true, true]);
        assert_eq!(counts.features, [&whole.features[0], &whole.features[3], &whole.features[4]].map(Clone::clone));
        assert_eq!(counts.joint, CrossProducts::new(2));
        assert_eq!(counts.dependence, Dependence::new(3));
        profile.retain(|name| name.as_str() != "x");
        assert_eq!(
            profile.features.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(),
            names(&["tied", "label", "y", "score"])
        );
        assert_eq!(profile.joint.as_ref().unwrap().features, names(&["y"]));
    }

    #[test]
    fn packed_counts_read_back_and_only_over_as_many_rows() {
        let profile = profile();
        let counts = counted(&profile, &[1.0, 2.5, 99.0, MISSING, f64::NAN]);
        let mut packer = Packer::default();
        counts.pack(&mut packer);
        let bytes = packer.into_bytes();
        let read = |rows: u64| WindowCounts::unpack(&profile, rows, &mut Unpacker::new(&bytes));
        assert_eq!(read(5), Some(counts));
        assert_eq!((read(4), read(6)), (None, None));
    }

    #[test]
    fn a_packed_feature_with_something_behind_it_is_refused() {
        let mut profile = profile();
        profile.retain(|name| name.as_str() == "label");
        let counts = profile.empty_counts();
        let (mut longer, mut part) = (Packer::default(), Packer::default());
        counts.features[0].pack(&mut part);
        part.count(1);
        longer.part(&part);
        counts.pack_relations(&mut longer);
        assert_eq!(WindowCounts::unpack(&profile, 0, &mut Unpacker::new(&longer.into_bytes())), None);
    }

    #[test]
    fn the_counts_of_two_parts_are_those_of_all_rows() {
        let profile = profile();
        let mut sum = counted(&profile, &[1.0, 2.5]);
        sum.merge(&counted(&profile, &[99.0, MISSING]));
        assert_eq!(sum, counted(&profile, &[1.0, 2.5, 99.0, MISSING]));
        sum.spread();
        assert_eq!(sum, counted(&profile, &[1.0, 2.5, 99.0, MISSING]));
    }

    #[test]
    fn a_profile_learns_how_dependent_its_rows_are_and_how_its_features_move_together() {
        let mut profile = profile().with_joint(9);
        let mut counts = profile.empty_counts();
        // Eight clusters of five neighbours: the values of x are nearly the same within each.
        let ranks: Vec<Vec<u16>> = profile.features.iter().map(|_| (1..=40).map(|row| row * 1_600).collect()).collect();
        let clusters: Vec<Option<u64>> = (0..40).map(|row| Some(row / 5)).collect();
        counts.dependence.add_clustered(&clusters, &ranks);
        profile.learn(&counts);
        for (name, feature) in &profile.features {
            assert_ne!(*feature.dependence(), Estimate::INDEPENDENT, "{name}");
        }
        assert_eq!(profile.joint.unwrap().pairs.len(), 1);
    }

    /// As [`counted`], with what is counted beside the features: rows in clusters of three.
    fn related(profile: &ReferenceProfile, values: &[f64]) -> WindowCounts {
        let mut counts = profile.empty_counts();
        let columns = profile.features.iter().zip(&mut counts.features).map(|((_, feature), counts)| {
            let mut ranks = Vec::new();
            counts.update(feature, &FeatureTable::of(feature), ColumnBatch::Numeric(values), Some(&mut ranks));
            ranks
        });
        let ranks: Vec<Vec<u16>> = columns.collect();
        let clusters: Vec<Option<u64>> = (0..values.len() as u64).map(|row| Some(row / 3)).collect();
        counts.dependence.add_clustered(&clusters, &ranks);
        let positions = profile.joint_positions();
        counts.joint.add(&joint::ScoreTable::new(), &positions.iter().map(|at| ranks[*at].as_slice()).collect::<Vec<_>>());
        counts
    }

    #[test]
    fn rows_are_ranked_where_they_have_values_of_the_kind() {
        let profile = profile();
        let ranks = |feature: usize, batch: ColumnBatch<'_>| {
            let (_, feature) = &profile.features[feature];
            let mut ranks = Vec::new();
            FeatureCounts::empty(feature).update(feature, &FeatureTable::of(feature), batch, Some(&mut ranks));
            ranks
        };
        let dictionary = ["b".to_owned()];
        // Of 40 values: 1 + ⌊(5 + ½ + ½)/41 · 65,535⌋; of 30 and 10 labels: 1 + ⌊(30 + 10/2 + ½)/41 · 65,535⌋.
        assert_eq!(ranks(0, ColumnBatch::Numeric(&[5.0, MISSING])), [9_591, 0]);
        assert_eq!(ranks(2, ColumnBatch::Categorical { codes: &[0], dictionary: &dictionary }), [56_744]);
        assert!(ranks(0, ColumnBatch::Categorical { codes: &[0], dictionary: &dictionary }).is_empty());
    }

    #[test]
    fn what_is_counted_beside_the_features_merges_and_packs_with_them() {
        let profile = profile().with_joint(9);
        let values = [1.0, 9.0, 4.0, 30.0, 2.0, 17.0, 8.0];
        let (mut sum, second) = (related(&profile, &values[..3]), related(&profile, &values[3..]));
        let before = (sum.dependence.clone(), sum.joint.clone());
        sum.merge(&second);
        assert_ne!(before.0, sum.dependence);
        let expected = related(&profile, &values);
        assert_eq!(sum.joint, expected.joint);
        let mut dependence = before.0;
        dependence.merge(&second.dependence);
        assert_eq!(sum.dependence, dependence);
        let mut packer = Packer::default();
        sum.pack(&mut packer);
        let bytes = packer.into_bytes();
        let mut unpacker = Unpacker::new(&bytes);
        let read = WindowCounts::unpack(&profile, 7, &mut unpacker).unwrap();
        assert!(unpacker.is_empty());
        assert_eq!((&read.features, &read.joint), (&sum.features, &sum.joint));
        assert_eq!(read.dependence.estimates(&[]), sum.dependence.estimates(&[]));
        let mut learnt = profile;
        learnt.learn(&read);
        assert_eq!(learnt.joint.unwrap().pairs, sum.joint.pairs());
    }
}
