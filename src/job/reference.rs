//! The reference: a built profile, or one that is built from the raw rows on the way.

use std::sync::Arc;

use super::findings;
use super::input::Place;
use crate::bucket::{Bucket, BucketError};
use crate::config::{Config, Effective, Include};
use crate::decision::finding::{Finding, FindingCode, Severity};
use crate::error::JobError;
use crate::feature::{FeatureKind, FeatureName};
use crate::ingest::account::{Account, ObjectAccount};
use crate::ingest::decode::{ColumnGuess, Encoding, Request};
use crate::ingest::sink::Counter;
use crate::ingest::{self, Source, batch_rows};
use crate::profile::builder::ProfileBuilder;
use crate::profile::counts::NumericCounts;
use crate::profile::dependence::Estimate;
use crate::profile::grid::Grid;
use crate::profile::{FeatureProfile, ProfileObject, ReferenceProfile};
use crate::progress::Progress;

/// The name of a built profile.
pub const PROFILE_NAME: &str = "profile.json";

/// Objects that are looked into to find the columns.
const OBJECTS_INSPECTED: usize = 16;

/// A reference that is ready to be compared with.
#[derive(Debug)]
pub struct Reference {
    pub profile: Arc<ReferenceProfile>,
    pub findings: Vec<Finding>,
}

/// Where the reference is.
pub fn place(config: &Config, effective: &Effective, bucket: &Bucket) -> Result<Place, JobError> {
    Place::resolve(&config.reference.path, "reference.path", bucket, config, effective)
}

/// The reference as `check` uses it: the built profile where there is one, the raw rows otherwise.
pub async fn load(config: &Config, place: &Place, progress: &Progress) -> Result<Reference, JobError> {
    let source = list(place).await?;
    // By its name in a folder, or by any name that is not one of rows where the path names it.
    let is_profile =
        |key: &str| key.rsplit('/').next() == Some(PROFILE_NAME) || (key == place.path && Encoding::of_key(key).is_none());
    let Some(built) = source.objects.iter().find(|object| is_profile(&object.key)) else {
        return build(config, place, progress).await;
    };
    let most_bytes = config.run.max_download_bytes;
    let bytes = match place.bucket.get_up_to(&built.key, most_bytes).await {
        Err(error @ BucketError::TooLarge { .. }) => {
            let message = format!("{error}: build the profile of fewer features, or raise run.max_download_bytes");
            return Err(JobError::Input(message));
        }
        object => object?.map(|object| object.bytes).unwrap_or_default(),
    };
    let profile = ReferenceProfile::from_json(&bytes).map_err(|error| JobError::Input(format!("{}: {error}", built.uri)))?;
    let mut findings: Vec<Finding> = stale(&profile, &source).map(|finding| finding.about_object(&built.uri)).into_iter().collect();
    let profile = choose(config, profile, &mut findings)?;
    findings.extend(without_relations(config, &profile));
    Ok(Reference { profile: Arc::new(profile), findings })
}

/// A built profile that does not know what is asked of it.
fn without_relations(config: &Config, profile: &ReferenceProfile) -> Option<Finding> {
    let is_asked = || profile.joint_candidates(config.policy.joint_features).is_some();
    (profile.joint.is_none() && is_asked()).then(|| {
        let message = "The built profile does not hold how features move together, so that is not compared: build it again with \
                       `drift-check profile`, or set policy.joint_features = 0.";
        Finding::new(FindingCode::SettingWithoutEffect, Severity::Info, message)
    })
}

/// Builds the profile from the raw rows.
pub async fn build(config: &Config, place: &Place, progress: &Progress) -> Result<Reference, JobError> {
    let mut source = list(place).await?;
    source.objects.retain(|object| object.key.rsplit('/').next() != Some(PROFILE_NAME));
    let columns = ingest::columns(&source, OBJECTS_INSPECTED).await?;
    if let Some(uri) = &columns.too_many_in {
        return Err(JobError::Input(findings::too_many_columns(uri)));
    }
    let found = columns.found;
    let mut findings = Vec::new();
    let columns = requested(config, &found, place, &mut findings)?;
    let bytes = source.size_bytes();
    let step = progress.bytes("reading the reference", bytes);
    let request = request(config, columns.clone(), None);
    let concurrency = concurrency(config, &source.bucket);
    let (builder, account) =
        ingest::read(&source, request, ProfileBuilder::new(&columns), concurrency, &|bytes| step.advance(bytes)).await?;
    check_usable(&account, config, place)?;
    findings.extend(findings::of_account(&account, "the reference"));
    let profile = choose(config, builder.finish(profile_objects(&account)), &mut findings)?;
    let profile = with_rows(config, &source, &found, profile, &account).await?;
    let profile = profile.named().map_err(|source| JobError::Encode { what: "profile", source })?;
    Ok(Reference { profile: Arc::new(profile), findings })
}

/// Reads the reference once more, over its own profile, for what only whole rows tell: how its features move together, and how
/// dependent its rows are (by their clusters where it has them, in the order of its files where it has the logs' timestamp, because
/// then it was once a log, and not at all otherwise). It must be what it was at the `first` reading.
async fn with_rows(
    config: &Config,
    source: &Source,
    found: &[(String, ColumnGuess)],
    profile: ReferenceProfile,
    first: &Account,
) -> Result<ReferenceProfile, JobError> {
    let has = |column: &Option<String>| column.clone().filter(|column| found.iter().any(|(name, _)| name == column));
    let (cluster, timestamp) = (has(&config.logs.cluster), has(&config.logs.timestamp));
    let mut profile = profile.with_joint(config.policy.joint_features);
    if cluster.is_none() && timestamp.is_none() && profile.joint.is_none() {
        return Ok(profile);
    }
    let columns = profile.features.iter().map(|(name, feature)| (name.clone(), feature.kind())).collect();
    let counter = Counter::new(Arc::new(profile.clone()));
    let counter = if timestamp.is_some() { counter.in_time_order() } else { counter };
    let (counter, second) =
        ingest::read(source, request(config, columns, cluster), counter, concurrency(config, &source.bucket), &|_| ()).await?;
    if let Some(uri) = changed(first, &second) {
        return Err(JobError::Input(format!("the reference changed while it was read ({uri}): run again")));
    }
    profile.learn(&counter.counts);
    Ok(profile)
}

/// The first object that was not the same at two readings: of another generation, or readable at one of them only.
fn changed<'a>(first: &'a Account, second: &Account) -> Option<&'a str> {
    let same = |a: &ObjectAccount, b: &ObjectAccount| {
        (&a.uri, &a.generation, a.outcome.is_ok()) == (&b.uri, &b.generation, b.outcome.is_ok())
    };
    // Both are of one listing.
    let mut pairs = first.objects.iter().zip(&second.objects);
    pairs.find(|(a, b)| !same(a, b)).map(|(a, _)| a.uri.as_str())
}

/// All rows of the reference, whatever their time.
fn request(config: &Config, columns: Vec<(FeatureName, FeatureKind)>, cluster: Option<String>) -> Request {
    let max_row_bytes = config.logs.max_row_bytes;
    let batch_rows = batch_rows(columns.len());
    Request { columns, timestamp: None, cluster, window: None, max_row_bytes, batch_rows }
}

/// Objects or features that are worked on at a time.
pub fn concurrency(config: &Config, bucket: &Bucket) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    config.run.concurrency.unwrap_or_else(|| if bucket.is_remote() { cores().max(DOWNLOADS) } else { cores() })
}

/// Objects that are fetched at a time from elsewhere, on however few cores: most of the time of a small object is waiting.
const DOWNLOADS: usize = 4;

async fn list(place: &Place) -> Result<Source, JobError> {
    let missing = || {
        JobError::Input(format!(
            "there is no reference at {}: put CSV, NDJSON or Parquet files there, or set reference.path (--reference)",
            place.uri()
        ))
    };
    let source = match place.source().await {
        Err(error) if error.is_not_found() => return Err(missing()),
        other => other?,
    };
    if source.objects.is_empty() { Err(missing()) } else { Ok(source) }
}

/// What to read: the configured features, or every column that can be one.
fn requested(
    config: &Config,
    found: &[(String, ColumnGuess)],
    place: &Place,
    findings: &mut Vec<Finding>,
) -> Result<Vec<(FeatureName, FeatureKind)>, JobError> {
    let overridden = |name: &str| config.features.kinds.get(name).copied();
    let columns: Vec<(FeatureName, FeatureKind)> = match &config.features.include {
        Include::Named(names) => {
            if !found.is_empty() && !names.iter().any(|name| found.iter().any(|(column, _)| column == name.as_str())) {
                let columns: Vec<&str> = found.iter().map(|(column, _)| column.as_str()).take(30).collect();
                return Err(JobError::Input(format!(
                    "none of the {} configured features is in the reference at {}; its columns are: {}. Correct features.include, or \
                     reference.path",
                    names.len(),
                    place.uri(),
                    columns.join(", ")
                )));
            }
            let guess = |name: &FeatureName| found.iter().find(|(column, _)| column == name.as_str()).map(|(_, guess)| *guess);
            names.iter().map(|name| (name.clone(), overridden(name.as_str()).unwrap_or(kind_of(guess(name))))).collect()
        }
        Include::Auto => {
            let roles = config.columns_with_a_role();
            let mut columns = Vec::new();
            for (name, guess) in found.iter().filter(|(name, _)| !roles.contains(name.as_str())) {
                match (overridden(name), guess) {
                    (Some(kind), _) => columns.push((FeatureName::new(name), kind)),
                    (None, ColumnGuess::Numeric | ColumnGuess::Text) => {
                        columns.push((FeatureName::new(name), kind_of(Some(*guess))));
                    }
                    (None, ColumnGuess::Empty | ColumnGuess::Unsupported) => findings.push(not_comparable(name, *guess)),
                }
            }
            columns
        }
    };
    let mut columns = columns;
    columns.extend(predictions(config).filter(|(name, _)| found.iter().any(|(column, _)| column == name.as_str())));
    Ok(columns)
}

/// What the model said of each row, as the configuration names it: compared like features where the reference has it.
fn predictions(config: &Config) -> impl Iterator<Item = (FeatureName, FeatureKind)> {
    let class = config.prediction.class.as_deref().map(|name| (FeatureName::new(name), FeatureKind::Categorical));
    let confidence = config.prediction.confidence.as_deref().map(|name| (FeatureName::new(name), FeatureKind::Numeric));
    class.into_iter().chain(confidence)
}

fn kind_of(guess: Option<ColumnGuess>) -> FeatureKind {
    match guess {
        Some(ColumnGuess::Text) => FeatureKind::Categorical,
        Some(ColumnGuess::Numeric | ColumnGuess::Empty | ColumnGuess::Unsupported) | None => FeatureKind::Numeric,
    }
}

fn not_comparable(name: &str, guess: ColumnGuess) -> Finding {
    let why = if guess == ColumnGuess::Empty { "has no value in the reference" } else { "holds neither numbers nor text" };
    let message = format!("The column `{name}` {why} and was left out (features.include = \"auto\").");
    Finding::new(FindingCode::ColumnNotShared, Severity::Info, message).about_feature(&FeatureName::new(name))
}

/// Fails when the reference gave no rows, or lost too many.
fn check_usable(account: &Account, config: &Config, place: &Place) -> Result<(), JobError> {
    if account.rows_used == 0 {
        let why = findings::why_nothing_was_read(account);
        return Err(JobError::Input(format!("the reference at {} has no usable row: {why}", place.uri())));
    }
    findings::check_rejected_fraction(account, config.logs.max_rejected_fraction, "the reference").map_err(JobError::Input)
}

fn profile_objects(account: &Account) -> Vec<ProfileObject> {
    let objects = account.readable().map(|(object, tally)| ProfileObject {
        uri: object.uri.clone(),
        generation: object.generation.clone(),
        size_bytes: object.size_bytes,
        rows: tally.rows_used,
    });
    objects.collect()
}

/// Keeps the features that are to be compared, in their configured order.
fn choose(config: &Config, mut profile: ReferenceProfile, findings: &mut Vec<Finding>) -> Result<ReferenceProfile, JobError> {
    let predictions = known_predictions(config, &profile);
    match &config.features.include {
        Include::Named(names) => {
            let mut kept = Vec::with_capacity(names.len());
            for name in names {
                match profile.features.iter().find(|(known, _)| known == name) {
                    Some((_, feature)) => kept.push((name.clone(), with_configured_kind(config, name, feature)?)),
                    // A profile without a configured feature still counts it: it cannot be compared, and that is broken.
                    None => kept.push(empty_feature(name)),
                }
            }
            profile.features = kept;
            if let Some(joint) = &mut profile.joint {
                joint.retain(|name| names.contains(name));
            }
        }
        Include::Auto => {
            let roles = config.columns_with_a_role();
            profile.retain(|name| !roles.contains(name.as_str()));
            let identifiers: Vec<(FeatureName, Finding)> =
                profile.features.iter().filter_map(|(name, feature)| Some((name.clone(), identifier(name, feature)?))).collect();
            profile.retain(|name| !identifiers.iter().any(|(identifier, _)| identifier == name));
            findings.extend(identifiers.into_iter().map(|(_, finding)| finding));
        }
    }
    profile.predictions = predictions.iter().map(|(name, _)| name.clone()).collect();
    profile.features.extend(predictions);
    // A profile that was built with another setting.
    profile.joint = profile.joint.filter(|joint| joint.features.len() <= config.policy.joint_features);
    Ok(profile)
}

/// The predictions that the profile holds, as what they are to be read.
fn known_predictions(config: &Config, profile: &ReferenceProfile) -> Vec<(FeatureName, FeatureProfile)> {
    let known = predictions(config).filter_map(|(name, kind)| {
        let feature = profile.feature(name.as_str()).filter(|feature| feature.kind() == kind)?;
        Some((name, feature.clone()))
    });
    known.collect()
}

fn with_configured_kind(config: &Config, name: &FeatureName, feature: &FeatureProfile) -> Result<FeatureProfile, JobError> {
    let configured = config.features.kinds.get(name).copied();
    match configured {
        Some(kind) if kind != feature.kind() => Err(JobError::Input(format!(
            "the profile has `{name}` as {}, features.override.{name}.kind says {kind}: build the profile again with `drift-check profile`",
            feature.kind()
        ))),
        _ => Ok(feature.clone()),
    }
}

fn empty_feature(name: &FeatureName) -> (FeatureName, FeatureProfile) {
    let empty = ProfileBuilder::new(&[(name.clone(), FeatureKind::Numeric)]).finish(Vec::new());
    let feature = empty.features.into_iter().next().map(|(_, feature)| feature);
    (
        name.clone(),
        feature.unwrap_or(FeatureProfile::Numeric {
            grid: Grid::default(),
            reference: NumericCounts::default(),
            dependence: Estimate::INDEPENDENT,
        }),
    )
}

/// A text column in which more than half of the reference's values are different names rows, and is no feature.
fn identifier(name: &FeatureName, feature: &FeatureProfile) -> Option<Finding> {
    let FeatureProfile::Categorical { categories, reference, .. } = feature else { return None };
    let distinct = categories.names().len() as u64;
    if distinct * 2 <= reference.n() && !categories.is_truncated() {
        return None;
    }
    let message = format!(
        "The column `{name}` has {distinct} or more different values in {} reference rows: it names rows and was left out. To compare it, list it in \
         features.include.",
        reference.n()
    );
    Some(Finding::new(FindingCode::IdentifierColumn, Severity::Info, message).about_feature(name))
}

/// Whether the profile was built from other objects than the raw ones beside it; told by name and size.
fn stale(profile: &ReferenceProfile, source: &Source) -> Option<Finding> {
    let name = |uri: &str| uri.rsplit('/').next().unwrap_or(uri).to_owned();
    let mut built: Vec<(String, u64)> = profile.objects.iter().map(|object| (name(&object.uri), object.size_bytes)).collect();
    let raw = source.objects.iter().filter(|object| Encoding::of_key(&object.key).is_some());
    let mut beside: Vec<(String, u64)> = raw.map(|object| (name(&object.key), object.size_bytes)).collect();
    built.sort();
    beside.sort();
    (!beside.is_empty() && built != beside).then(|| {
        let message = "The reference files beside this profile are not the ones it was built from. If they are newer, build it again with \
                       `drift-check profile`; until then the profile counts.";
        Finding::new(FindingCode::ProfileStale, Severity::Warning, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::account::Fault;
    use crate::ingest::decode::Tally;

    fn reading(objects: [(&str, &str, bool); 2]) -> Account {
        let mut account = Account::new(0);
        for (uri, generation, is_readable) in objects {
            let outcome = if is_readable { Ok(Tally::default()) } else { Err(Fault::Vanished) };
            account.add(ObjectAccount { uri: uri.to_owned(), generation: generation.to_owned(), size_bytes: 1, outcome });
        }
        account
    }

    #[test]
    fn a_reference_that_changes_between_two_readings_is_named() {
        let first = reading([("a", "1", true), ("b", "2", false)]);
        assert_eq!(changed(&first, &reading([("a", "1", true), ("b", "2", false)])), None);
        assert_eq!(changed(&first, &reading([("a", "2", true), ("b", "2", false)])), Some("a"));
        assert_eq!(changed(&first, &reading([("a", "1", false), ("b", "2", false)])), Some("a"));
        assert_eq!(changed(&first, &reading([("a", "1", true), ("b", "2", true)])), Some("b"));
    }
}
