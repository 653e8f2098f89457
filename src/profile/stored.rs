//! The stored form of a profile: JSON, whose long tables are packed numbers in base64.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use rayon::prelude::*;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::bounded::at_most;
use super::categories::{Categories, CategoryCounts};
use super::counts::NumericCounts;
use super::dependence::Estimate;
use super::grid::{Grid, MAX_KNOTS};
use super::joint::JointProfile;
use super::packed::{Packer, Unpacker};
use super::{FeatureProfile, ProfileObject, ReferenceProfile, short_digest};
use crate::feature::{FeatureKind, FeatureName};

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
    #[serde(borrow, deserialize_with = "at_most::<_, _, MAX_FEATURES>")]
    features: Vec<(Cow<'a, FeatureName>, StoredFeature<'a>)>,
    joint: Cow<'a, Option<JointProfile>>,
}

/// More than any reference has columns.
const MAX_FEATURES: usize = 1 << 15;

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum StoredFeature<'a> {
    Numeric {
        /// Doubles, the lowest byte first.
        knots: Cow<'a, str>,
        /// As [`NumericCounts::pack`] packs them.
        counts: Cow<'a, str>,
        dependence: Estimate,
    },
    Categorical {
        categories: Cow<'a, Categories>,
        counts: Cow<'a, CategoryCounts>,
        dependence: Estimate,
    },
}

/// A stored feature as it is read: part by part, because a reader by the kind would first hold whatever there is, many times as large.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadFeature<'a> {
    kind: FeatureKind,
    #[serde(borrow)]
    knots: Option<Text<'a>>,
    categories: Option<Categories>,
    #[serde(borrow)]
    counts: ReadCounts<'a>,
    dependence: Estimate,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

enum ReadCounts<'a> {
    Packed(Cow<'a, str>),
    OfCategories(CategoryCounts),
}

impl<'de: 'a, 'a> Deserialize<'de> for ReadCounts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = ReadCounts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("counts")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<ReadCounts<'de>, E> {
                Ok(ReadCounts::Packed(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<ReadCounts<'de>, E> {
                Ok(ReadCounts::Packed(Cow::Owned(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ReadCounts<'de>, A::Error> {
                CategoryCounts::deserialize(MapAccessDeserializer::new(map)).map(ReadCounts::OfCategories)
            }
        }

        deserializer.deserialize_any(Read)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for StoredFeature<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ReadFeature { kind, knots, categories, counts, dependence } = ReadFeature::deserialize(deserializer)?;
        match (kind, knots, categories, counts) {
            (FeatureKind::Numeric, Some(Text(knots)), None, ReadCounts::Packed(counts)) => {
                Ok(Self::Numeric { knots, counts, dependence })
            }
            (FeatureKind::Categorical, None, Some(categories), ReadCounts::OfCategories(counts)) => {
                Ok(Self::Categorical { categories: Cow::Owned(categories), counts: Cow::Owned(counts), dependence })
            }
            _ => Err(D::Error::custom(format_args!("a feature without the parts of a {kind} one"))),
        }
    }
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
                // Of more, no grid is made.
                (knots.len() <= MAX_KNOTS * size_of::<f64>() * 4 / 3 + 4).then_some(())?;
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
