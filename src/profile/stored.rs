//! The stored form of a profile: JSON, whose long tables are packed numbers in base64.

use std::borrow::Cow;
use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::categories::{Categories, CategoryCounts};
use super::counts::NumericCounts;
use super::dependence::Estimate;
use super::grid::Grid;
use super::joint::JointProfile;
use super::packed::{Packer, Unpacker};
use super::{FeatureProfile, ProfileObject, ReferenceProfile, short_digest};
use crate::feature::FeatureName;

/// The version of a stored profile. A reader refuses every other one, older or newer: a profile is quickly built again.
pub const PROFILE_VERSION: u32 = 3;

/// Why a stored profile cannot be used.
#[derive(Debug, Error)]
pub enum ProfileError {
    #[error(
        "the profile is of version {found}, this drift-check reads version {PROFILE_VERSION}: build it again with `drift-check profile`"
    )]
    Older { found: u64 },
    #[error(
        "the profile is of version {found}, newer than this drift-check (version {PROFILE_VERSION}): use the newer program, or replace the \
         profile by one of this program with `drift-check profile`"
    )]
    Newer { found: u64 },
    #[error("the profile is damaged ({0}): build it again with `drift-check profile`")]
    Damaged(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored<'a> {
    version: u32,
    rows: u64,
    objects: Cow<'a, [ProfileObject]>,
    #[serde(borrow)]
    features: Vec<(Cow<'a, FeatureName>, StoredFeature<'a>)>,
    joint: Cow<'a, Option<JointProfile>>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum StoredFeature<'a> {
    Numeric {
        /// Doubles, the lowest byte first.
        #[serde(borrow)]
        knots: Cow<'a, str>,
        /// As [`NumericCounts::pack`] packs them.
        #[serde(borrow)]
        counts: Cow<'a, str>,
        dependence: Estimate,
    },
    Categorical {
        categories: Cow<'a, Categories>,
        counts: Cow<'a, CategoryCounts>,
        dependence: Estimate,
    },
}

impl ReferenceProfile {
    /// The stored form: JSON, without a byte that differs between two builds from the same reference.
    ///
    /// # Errors
    /// None for a profile that this program made.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Stored {
            version: PROFILE_VERSION,
            rows: self.rows,
            objects: Cow::Borrowed(&self.objects),
            features: self.features.par_iter().map(|(name, feature)| (Cow::Borrowed(name), StoredFeature::of(feature))).collect(),
            joint: Cow::Borrowed(&self.joint),
        })
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
        let stored = match serde_json::from_slice::<Stored<'_>>(bytes) {
            Ok(stored) if stored.version == PROFILE_VERSION => stored,
            // Whatever else another version holds is not damage.
            read => {
                let VersionOnly { version } = serde_json::from_slice(bytes).map_err(damaged)?;
                match version.cmp(&u64::from(PROFILE_VERSION)) {
                    Ordering::Less => return Err(ProfileError::Older { found: version }),
                    Ordering::Greater => return Err(ProfileError::Newer { found: version }),
                    Ordering::Equal => read.map_err(damaged)?,
                }
            }
        };
        let read = |(name, feature): (Cow<'_, FeatureName>, StoredFeature<'_>)| match feature.read() {
            Some(feature) => Ok((name.into_owned(), feature)),
            None => Err(ProfileError::Damaged(format!("the counts of `{name}` do not fit its grid"))),
        };
        let profile = Self {
            id: short_digest(bytes),
            rows: stored.rows,
            objects: stored.objects.into_owned(),
            features: stored.features.into_par_iter().map(read).collect::<Result<_, _>>()?,
            joint: stored.joint.into_owned(),
            predictions: Vec::new(),
        };
        match &profile.joint {
            Some(joint) if !joint.fits() || profile.joint_positions().len() != joint.features.len() => {
                Err(ProfileError::Damaged("there is not one correlation for each pair of features".to_owned()))
            }
            _ => Ok(profile),
        }
    }
}

impl<'a> StoredFeature<'a> {
    fn of(feature: &'a FeatureProfile) -> Self {
        match feature {
            FeatureProfile::Numeric { grid, reference, dependence } => {
                let knots: Vec<u8> = grid.knots().iter().flat_map(|knot| knot.to_le_bytes()).collect();
                let mut packer = Packer::default();
                reference.pack(&mut packer);
                let (knots, counts) = (BASE64.encode(knots), BASE64.encode(packer.into_bytes()));
                Self::Numeric { knots: Cow::Owned(knots), counts: Cow::Owned(counts), dependence: *dependence }
            }
            FeatureProfile::Categorical { categories, reference, dependence } => Self::Categorical {
                categories: Cow::Borrowed(categories),
                counts: Cow::Borrowed(reference),
                dependence: *dependence,
            },
        }
    }

    /// `None` where its parts do not fit together.
    fn read(self) -> Option<FeatureProfile> {
        let feature = match self {
            Self::Numeric { knots, counts, dependence } => {
                let knots = BASE64.decode(knots.as_bytes()).ok()?;
                let (knots, rest) = knots.as_chunks();
                let grid =
                    Grid::from_knots(knots.iter().map(|knot| f64::from_le_bytes(*knot)).collect()).filter(|_| rest.is_empty())?;
                let packed = BASE64.decode(counts.as_bytes()).ok()?;
                let (mut reference, mut unpacker) = (NumericCounts::empty(&grid), Unpacker::new(&packed));
                reference.unpack_into(&mut unpacker)?;
                (unpacker.is_empty() && reference.fits(&grid)).then_some(())?;
                FeatureProfile::Numeric { grid, reference, dependence }
            }
            Self::Categorical { categories, counts, dependence } => {
                counts.fits(&categories).then_some(())?;
                FeatureProfile::Categorical { categories: categories.into_owned(), reference: counts.into_owned(), dependence }
            }
        };
        (feature.dependence().design_effect >= 1.0).then_some(feature)
    }
}
