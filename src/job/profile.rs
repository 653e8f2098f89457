//! `drift-check profile`: builds the reference profile and puts it in the bucket.

use super::{Invocation, Outcome, input, reference};
use crate::cli::Format;
use crate::config::{Config, Effective};
use crate::error::{ExitCode, JobError};
use crate::profile::{FeatureProfile, ReferenceProfile};
use crate::report::{format_count, format_percent, format_value};

pub async fn profile(
    config: &Config,
    effective: &Effective,
    invocation: &Invocation,
    output: Option<String>,
) -> Result<Outcome, JobError> {
    let bucket = input::bucket(config)?;
    let place = reference::place(config, effective, &bucket)?;
    let built = reference::build(config, &place, &invocation.progress).await?;
    let key = output.unwrap_or_else(|| beside(&place.path));
    let encode = |source| JobError::Encode { what: "profile", source };
    let bytes = built.profile.to_json().map_err(encode)?;
    let id = built.profile.id.clone();
    let uri = place.bucket.uri(&key);
    let size_bytes = bytes.len() as u64;
    if !invocation.options.dry_run {
        place.bucket.put(&key, bytes).await?;
    }
    let mut text = match invocation.options.format {
        Format::Json => return Ok(Outcome { exit_code: ExitCode::Success, output: json(&built.profile, &id, &uri)? }),
        Format::Text | Format::Markdown => table(&built.profile),
    };
    for finding in &built.findings {
        let about =
            finding.object.as_deref().or(finding.feature.as_ref().map(super::super::feature::FeatureName::as_str)).unwrap_or("");
        text.push_str(&format!("\n{} {about}: {}", finding.code, finding.message));
    }
    let done = if invocation.options.dry_run { "Would be written to" } else { "Written to" };
    text.push_str(&format!(
        "\nProfile {id} of {} rows and {} features. {done} {uri} ({} bytes).\n",
        format_count(built.profile.rows),
        built.profile.features.len(),
        format_count(size_bytes)
    ));
    Ok(Outcome { exit_code: ExitCode::Success, output: text })
}

/// The profile's key in the folder of the reference.
fn beside(path: &str) -> String {
    let folder = if path.is_empty() || path.ends_with('/') { path } else { path.rsplit_once('/').map_or("", |(folder, _)| folder) };
    let separator = if folder.is_empty() || folder.ends_with('/') { "" } else { "/" };
    format!("{folder}{separator}{}", reference::PROFILE_NAME)
}

fn json(profile: &ReferenceProfile, id: &str, uri: &str) -> Result<String, JobError> {
    let features: Vec<_> =
        profile.features.iter().map(|(name, feature)| serde_json::json!({ "name": name, "kind": feature.kind() })).collect();
    let summary = serde_json::json!({ "profile_id": id, "uri": uri, "rows": profile.rows, "features": features });
    let text = serde_json::to_string_pretty(&summary).map_err(|source| JobError::Encode { what: "profile", source })?;
    Ok(text + "\n")
}

fn table(profile: &ReferenceProfile) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["feature", "kind", "distinct", "missing", "min", "mean", "max"]);
    for (name, feature) in &profile.features {
        let presence = feature.presence();
        let missing = format_percent(presence.without_value() as f64 / presence.rows.max(1) as f64);
        let shown = |value: Option<f64>| value.map_or_else(String::new, format_value);
        let (distinct, moments) = match feature {
            FeatureProfile::Numeric { grid, reference, .. } => (grid.knots().len(), Some(&reference.moments)),
            FeatureProfile::Categorical { categories, .. } => (categories.names().len(), None),
        };
        table.add_row([
            crate::report::printable(name.as_str()),
            feature.kind().to_string(),
            format_count(distinct as u64),
            missing,
            shown(moments.and_then(super::super::profile::moments::Moments::min)),
            shown(moments.and_then(super::super::profile::moments::Moments::mean)),
            shown(moments.and_then(super::super::profile::moments::Moments::max)),
        ]);
    }
    table.trim_fmt() + "\n"
}
