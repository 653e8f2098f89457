//! With `features.include = "auto"`: the columns that the reference and the logs share, and what is said of the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::current::{Current, Logs};
use crate::config::{Config, Include};
use crate::decision::finding::{Finding, FindingCode, Severity};
use crate::error::JobError;
use crate::feature::FeatureName;
use crate::profile::ReferenceProfile;

/// Columns of the logs that get a finding of their own when the reference does not have them.
const COLUMNS_NAMED: usize = 50;

/// With `auto`, drops the features that the logs do not have, and says so.
pub async fn shared(
    config: &Config,
    profile: Arc<ReferenceProfile>,
    current: &mut Current,
    logs: &Logs<'_>,
    found: &mut Vec<Finding>,
) -> Result<Arc<ReferenceProfile>, JobError> {
    if config.features.include != Include::Auto || current.account.rows_read == 0 {
        return Ok(profile);
    }
    let known: BTreeSet<&str> = profile.features.iter().map(|(name, _)| name.as_str()).collect();
    let is_prediction = |name: &FeatureName| profile.predictions.contains(name);
    let left_out: BTreeSet<String> =
        found.iter().filter_map(|finding| finding.feature.as_ref()).map(|name| name.as_str().to_owned()).collect();
    let roles = config.columns_with_a_role();
    let columns = logs.columns().await?;
    let is_unknown = |name: &&String| !known.contains(name.as_str()) && !left_out.contains(*name) && !roles.contains(name.as_str());
    for name in columns.iter().filter(is_unknown).take(COLUMNS_NAMED) {
        let message = format!("The logs have a column `{name}` that the reference does not have; it was left out.");
        found.push(not_shared(&FeatureName::new(name), Severity::Info, message));
    }
    let more = columns.iter().filter(is_unknown).count().saturating_sub(COLUMNS_NAMED);
    if more > 0 {
        let message = format!("The same holds for {more} more columns of the logs.");
        found.push(Finding::new(FindingCode::ColumnNotShared, Severity::Info, message));
    }
    if current.account.columns_seen.iter().all(|seen| *seen) {
        return Ok(profile);
    }
    // A column that the logs had before this window did not leave the check: it broke.
    let in_logs = |name: &FeatureName| columns.iter().any(|column| column == name.as_str());
    let seen = profile.features.iter().zip(&current.account.columns_seen);
    let keep: Vec<bool> = seen.map(|((name, _), seen)| *seen || is_prediction(name) || in_logs(name)).collect();
    let gone: BTreeSet<&FeatureName> =
        profile.features.iter().zip(&keep).filter(|(_, keep)| !**keep).map(|((name, _), _)| name).collect();
    for name in &gone {
        let message = format!(
            "The reference has a column `{name}` that no object of the logs has; it was left out. To be alarmed by that, list it in \
             features.include."
        );
        found.push(not_shared(name, Severity::Warning, message));
    }
    let mut kept = (*profile).clone();
    kept.retain(|name| !gone.contains(name));
    current.counts.retain(&profile, &keep);
    Ok(Arc::new(kept))
}

fn not_shared(name: &FeatureName, severity: Severity, message: String) -> Finding {
    Finding::new(FindingCode::ColumnNotShared, severity, message).about_feature(name)
}
