//! Profiles: what is kept of the reference, and the counts that the rows of a window are reduced to.
//!
//! A reference profile holds, per feature, the grid of reference values (or the categories) and the reference's own counts over
//! it. The rows of a window become counts over the same grid. Counts are integers and merge by addition, so a window's counts are
//! the same whatever the order of the rows and the number of threads; only what is summed in floating point (moments, offsets)
//! depends on the order, and that order is fixed by the caller. Memory depends on the reference, never on the rows of a window.

pub mod builder;
pub mod categories;
pub mod dependence;
pub mod grid;
pub mod joint;
pub mod moments;
pub mod placed;
pub mod recent;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::feature::{ColumnBatch, FeatureKind, FeatureName};
use categories::{Categories, CategoryCounts};
use dependence::{Dependence, Estimate};
use grid::{Grid, NumericCounts};
use joint::{CrossProducts, JointProfile};
use placed::{CellTable, Placed};

/// The version of a stored profile. A reader refuses every other one: a profile is quickly built again.
pub const PROFILE_VERSION: u32 = 2;

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

    fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.missing += other.missing;
        self.absent += other.absent;
        self.wrong_type += other.wrong_type;
        self.non_finite += other.non_finite;
    }
}

/// One feature of the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceProfile {
    pub version: u32,
    pub rows: u64,
    pub objects: Vec<ProfileObject>,
    /// In the order of their columns.
    pub features: Vec<(FeatureName, FeatureProfile)>,
    /// How the numeric features move together; `None` where that is not asked for.
    pub joint: Option<JointProfile>,
    /// Which of `features` are what the model said (class, confidence): they are compared too, and never count among the features. The
    /// configuration says so, not the stored profile.
    #[serde(skip)]
    pub predictions: Vec<FeatureName>,
}

/// Why a stored profile cannot be used.
#[derive(Debug, Error)]
pub enum ProfileError {
    #[error(
        "the profile is of version {found}, this drift-check reads version {PROFILE_VERSION}: build it again with `drift-check profile`"
    )]
    Version { found: u64 },
    #[error("the profile is damaged ({0}): build it again with `drift-check profile`")]
    Damaged(String),
}

impl ReferenceProfile {
    pub fn feature(&self, name: &str) -> Option<&FeatureProfile> {
        self.features.iter().find(|(candidate, _)| candidate.as_str() == name).map(|(_, profile)| profile)
    }

    /// The stored form: JSON, without a byte that differs between two builds from the same reference.
    ///
    /// # Errors
    /// None for a profile that this program made.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads a stored profile and checks that its parts fit together.
    ///
    /// # Errors
    /// When it is of another version, or damaged.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ProfileError> {
        #[derive(Deserialize)]
        struct VersionOnly {
            version: u64,
        }
        let damaged = |error: serde_json::Error| ProfileError::Damaged(error.to_string());
        let VersionOnly { version } = serde_json::from_slice(bytes).map_err(damaged)?;
        if version != u64::from(PROFILE_VERSION) {
            return Err(ProfileError::Version { found: version });
        }
        let profile: Self = serde_json::from_slice(bytes).map_err(damaged)?;
        profile.check()?;
        Ok(profile)
    }

    fn check(&self) -> Result<(), ProfileError> {
        for (name, feature) in &self.features {
            let fits = match feature {
                FeatureProfile::Numeric { grid, reference, .. } => reference.fits(grid),
                FeatureProfile::Categorical { categories, reference, .. } => reference.fits(categories),
            };
            let fits = fits && feature.dependence().design_effect >= 1.0;
            if !fits {
                return Err(ProfileError::Damaged(format!("the counts of `{name}` do not fit its grid")));
            }
        }
        match &self.joint {
            Some(joint) if !joint.fits() || self.joint_positions().len() != joint.features.len() => {
                Err(ProfileError::Damaged("there is not one correlation for each pair of features".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// The first 16 hexadecimal digits of the SHA-256 of the stored form: what names this reference.
    ///
    /// # Errors
    /// As [`Self::to_json`].
    pub fn id(&self) -> Result<String, serde_json::Error> {
        Ok(short_digest(&self.to_json()?))
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

    /// Counts one batch of the feature's column. A batch of the other kind counts as rows of another type.
    pub fn update(&mut self, profile: &FeatureProfile, batch: ColumnBatch<'_>) {
        self.update_each(profile, batch, |_| {});
    }

    /// As [`Self::update`], and what each row is worth.
    pub fn update_placed(&mut self, profile: &FeatureProfile, batch: ColumnBatch<'_>, table: &CellTable) -> Placed {
        let mut placed = Placed::default();
        self.update_each(profile, batch, |cell| placed.push(table, cell));
        placed
    }

    /// Tells `each` the cell of every row, where the batch has values of the feature's kind.
    fn update_each(&mut self, profile: &FeatureProfile, batch: ColumnBatch<'_>, each: impl FnMut(Option<usize>)) {
        match (self, profile, batch) {
            (Self::Numeric(counts), FeatureProfile::Numeric { grid, .. }, ColumnBatch::Numeric(values)) => {
                counts.update(grid, values, each);
            }
            (
                Self::Categorical(counts),
                FeatureProfile::Categorical { categories, .. },
                ColumnBatch::Categorical { codes, dictionary },
            ) => counts.update(categories, codes, dictionary, each),
            (counts, _, batch) => counts.presence_mut().add_unusable(batch),
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

    fn presence_mut(&mut self) -> &mut Presence {
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
        self.dependence.merge(&other.dependence);
        self.joint.merge(&other.joint);
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
