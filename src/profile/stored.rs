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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::feature::{ColumnBatch, MISSING};
    use crate::profile::builder::ProfileBuilder;
    use crate::profile::dependence::Method;
    use crate::profile::joint::PairProfile;

    /// Two numbers and a label, and what is known of them.
    fn profile() -> ReferenceProfile {
        use FeatureKind::{Categorical, Numeric};
        let kinds = [("x", Numeric), ("y", Numeric), ("label", Categorical)].map(|(name, kind)| (FeatureName::from(name), kind));
        let mut builder = ProfileBuilder::new(&kinds);
        let dictionary = ["b".to_owned(), "a".to_owned()];
        builder.update([
            ColumnBatch::Numeric(&[3.5, -1.0, MISSING, 1e300, 2.0, -0.25, 7.0, 8.0, 9.0]),
            ColumnBatch::Numeric(&[1.0, 2.0, 3.0, f64::NAN, 5.0, 6.0, MISSING, MISSING, MISSING]),
            ColumnBatch::Categorical { codes: &[0, 1, 1, 0, 0, u32::MAX, 0, 0, 0], dictionary: &dictionary },
        ]);
        let object = ProfileObject { uri: "file:a.csv".to_owned(), generation: "7".to_owned(), size_bytes: 80, rows: 9 };
        let mut profile = builder.finish(vec![object]).with_joint(9);
        for ((_, feature), design_effect) in profile.features.iter_mut().zip([1.5, 2.0, 1.0]) {
            let of_clusters =
                Estimate { method: Method::Clusters, design_effect, intraclass_correlation: Some(0.25), clusters: Some(3) };
            *feature.dependence_mut() = of_clusters;
        }
        if let Some(joint) = &mut profile.joint {
            joint.pairs = vec![PairProfile { rows: 4, correlation: Some(-0.5), inflation: 1.25 }];
        }
        profile.named().unwrap()
    }

    /// What is read after a change of the JSON.
    fn changed(change: impl FnOnce(&mut Value)) -> Result<ReferenceProfile, ProfileError> {
        let mut stored: Value = serde_json::from_slice(&profile().to_json().unwrap()).unwrap();
        change(&mut stored);
        ReferenceProfile::from_json(&serde_json::to_vec(&stored).unwrap())
    }

    fn damage(change: impl FnOnce(&mut Value)) -> String {
        match changed(change) {
            Err(ProfileError::Damaged(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_stored_profile_reads_back_and_is_the_same_bytes_again() {
        let profile = profile();
        let bytes = profile.to_json().unwrap();
        let read = ReferenceProfile::from_json(&bytes).unwrap();
        assert_eq!(read, profile);
        assert_eq!(read.to_json().unwrap(), bytes);
        // Also where the texts cannot be borrowed.
        assert_eq!(
            ReferenceProfile::from_json(&String::from_utf8(bytes).unwrap().replace("file:a", "file:\\u0061").into_bytes())
                .unwrap()
                .objects,
            profile.objects
        );
    }

    #[test]
    fn another_version_is_told_apart_from_damage() {
        let of_version = |version: u32| changed(|stored| stored["version"] = json!(version));
        assert!(
            matches!(of_version(PROFILE_VERSION - 1), Err(ProfileError::Older { found }) if found == u64::from(PROFILE_VERSION) - 1)
        );
        assert!(
            matches!(of_version(PROFILE_VERSION + 1), Err(ProfileError::Newer { found }) if found == u64::from(PROFILE_VERSION) + 1)
        );
        let strange = changed(|stored| *stored = json!({ "version": 99, "whatever": [] }));
        assert!(matches!(strange, Err(ProfileError::Newer { found: 99 })));
        assert!(damage(|stored| stored["whatever"] = json!(1)).contains("whatever"));
        assert!(matches!(ReferenceProfile::from_json(b"{"), Err(ProfileError::Damaged(_))));
    }

    #[test]
    fn counts_that_do_not_fit_their_grid_are_damage() {
        let refused = |change: &dyn Fn(&mut Value)| damage(|stored| change(stored));
        let of_x = |part: &'static str, value: &str| refused(&|stored| stored["features"][0][1][part] = json!(value));
        let does_not_fit = "the counts of `x` do not fit its grid";
        assert_eq!(of_x("knots", ""), does_not_fit);
        // Seven bytes are no double; nor is what is no base64.
        assert_eq!(of_x("knots", "AAAAAAAAAA"), does_not_fit);
        assert_eq!(of_x("knots", "?"), does_not_fit);
        assert_eq!(of_x("counts", "AA"), does_not_fit);
        let counts = |stored: &Value| stored["features"][0][1]["counts"].as_str().unwrap().to_owned();
        assert_eq!(refused(&|stored| stored["features"][0][1]["counts"] = json!(counts(stored) + "AAAA")), does_not_fit);
        // The counts of one feature over the grid of another.
        assert_eq!(
            refused(&|stored| stored["features"][1][1]["counts"] = stored["features"][0][1]["counts"].clone()),
            "the counts of `y` do not fit its grid"
        );
        assert_eq!(refused(&|stored| stored["features"][0][1]["dependence"]["design_effect"] = json!(0.99)), does_not_fit);
        let label = "the counts of `label` do not fit its grid";
        assert_eq!(refused(&|stored| stored["features"][2][1]["counts"]["cells"] = json!([3, 1])), label);
        assert!(changed(|stored| stored["features"][0][1]["dependence"]["design_effect"] = json!(1.0)).is_ok());
    }

    #[test]
    fn more_knots_than_any_grid_has_are_not_read() {
        let mut stored = StoredFeature::of(&profile().features[0].1).read().unwrap();
        let FeatureProfile::Numeric { grid, reference, .. } = &mut stored else { panic!("x is numeric") };
        let values: Vec<f64> = (0..65_536).map(f64::from).collect();
        *grid = Grid::from_values(&mut values.clone());
        *reference = NumericCounts::of(grid, &values);
        let most = StoredFeature::of(&stored);
        let StoredFeature::Numeric { knots, counts, dependence } = &most else { panic!("x is numeric") };
        let (mut longer, counts, dependence) = (knots.clone().into_owned(), counts.clone(), *dependence);
        assert_eq!(most.read().as_ref(), Some(&stored));
        longer.push_str("AAAAAAAAAAA");
        assert_eq!(StoredFeature::Numeric { knots: Cow::Owned(longer), counts, dependence }.read(), None);
    }

    #[test]
    fn a_feature_has_the_parts_of_its_kind() {
        let of_kind = |feature: usize, kind: &str| damage(|stored| stored["features"][feature][1]["kind"] = json!(kind));
        assert!(of_kind(0, "categorical").contains("without the parts of a categorical one"));
        assert!(of_kind(2, "numeric").contains("without the parts of a numeric one"));
        let no_counts = damage(|stored| stored["features"][0][1]["counts"] = json!(5));
        assert!(no_counts.contains("expected counts"), "{no_counts}");
    }

    #[test]
    fn there_is_a_correlation_for_each_pair_of_features_or_none_at_all() {
        let refused = "there is not one correlation for each pair of features";
        let two = |stored: &mut Value| {
            let first = stored["joint"]["pairs"][0].clone();
            stored["joint"]["pairs"] = json!([first.clone(), first]);
        };
        assert_eq!(damage(two), refused);
        assert_eq!(damage(|stored| stored["joint"]["features"] = json!(["x", "z"])), refused);
        assert!(changed(|stored| stored["joint"]["pairs"] = json!([])).is_ok());
        assert_eq!(changed(|stored| stored["joint"] = Value::Null).unwrap().joint, None);
    }
}
