//! What no key can tell alone: the checks across keys.
//!
//! A check is left out where one of its keys was refused: the value that stands there is not what was meant.

mod channels;
mod engine;

use std::collections::BTreeSet;

use super::keys::{SIGNALS, dotted};
use super::layer::Layers;
use super::problem::Origin;
use super::value::{Value, shown};
use super::{Anchor, Config, Include, OtlpAuth, Store};
use crate::decision::policy::Materiality;

/// Adds every problem between keys.
pub(super) fn across_keys(layers: &mut Layers, config: &Config) {
    thresholds(layers, config);
    roles(layers, config);
    overrides(layers, config);
    signals(layers);
    signals_need(layers, config);
    channels::check(layers, config);
    engine::check(layers, config);
    report_copy(layers);
    metrics(layers, config);
    if config.window.anchor == Anchor::Latest
        && config.logs.timestamp.is_none()
        && sound(layers, &["window.anchor", "logs.timestamp"])
    {
        let origin = latest_origin(layers, &["window.anchor", "logs.timestamp"]);
        layers.problem(origin, "window.anchor", "\"latest\" needs the time of each row", "set `logs.timestamp`, or write \"now\"");
    }
}

/// A file that nobody would read, and headers or credentials that would travel in the open.
fn metrics(layers: &mut Layers, config: &Config) {
    if let Some(path) = &config.metrics.textfile
        && std::path::Path::new(path).extension().is_none_or(|extension| extension != "prom")
    {
        let origin = latest_origin(layers, &["metrics.textfile"]);
        let message = format!("{} does not end in `.prom`, and node_exporter reads no other file", shown(path));
        layers.problem(origin, "metrics.textfile", message, "add .prom to its name");
    }
    let secret = ["metrics.otlp_headers", "metrics.otlp_auth"];
    let Some(otlp) = config.metrics.otlp.as_ref().filter(|_| sound(layers, &secret)) else { return };
    if (otlp.headers.is_some() || otlp.auth == OtlpAuth::Google) && !crate::notify::is_secure(&otlp.endpoint) {
        let origin = latest_origin(layers, &["metrics.otlp_endpoint", "metrics.otlp_headers", "metrics.otlp_auth"]);
        let message = "is without encryption, and headers and credentials are secrets";
        layers.problem(origin, "metrics.otlp_endpoint", message, "write https, or send nothing that is secret");
    }
}

/// Whether none of the keys was refused.
fn sound(layers: &Layers, keys: &[&str]) -> bool {
    keys.iter().all(|key| !layers.refused.contains(*key))
}

fn text<'a>(layers: &'a Layers, key: &str) -> &'a str {
    match layers.entries.get(key).map(|entry| &entry.value) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

fn list(layers: &Layers, key: &str) -> Vec<String> {
    match layers.entries.get(key).map(|entry| &entry.value) {
        Some(Value::List(items)) => items.clone(),
        _ => Vec::new(),
    }
}

/// Where the last of the keys was set: the place to look at when they do not fit together.
fn latest_origin(layers: &Layers, keys: &[&str]) -> Origin {
    let origins = keys.iter().filter_map(|key| layers.entries.get(*key)).map(|entry| entry.origin.clone());
    origins.max().unwrap_or(Origin::Default)
}

fn thresholds(layers: &mut Layers, config: &Config) {
    let policy = &config.policy;
    let of_policy = ["policy.psi_warning", "policy.psi_drift"];
    if sound(layers, &of_policy) {
        warning_before_drift(layers, of_policy, policy.psi_warning, policy.psi_drift);
    }
    for (name, Materiality { psi_drift, psi_warning }) in &policy.overrides {
        let own = |last: &str| dotted(&["features", "override", name.as_str(), last]);
        // What is not overridden comes from the policy.
        let warning_key = if psi_warning.is_some() { own("psi_warning") } else { "policy.psi_warning".to_owned() };
        let drift_key = if psi_drift.is_some() { own("psi_drift") } else { "policy.psi_drift".to_owned() };
        let is_own = psi_warning.is_some() || psi_drift.is_some();
        if is_own && sound(layers, &[&own("psi_warning"), &own("psi_drift"), &warning_key, &drift_key]) {
            let (warning, drift) = (psi_warning.unwrap_or(policy.psi_warning), psi_drift.unwrap_or(policy.psi_drift));
            warning_before_drift(layers, [&warning_key, &drift_key], warning, drift);
        }
    }
}

/// The problem stands at the key that was set last, in its words.
fn warning_before_drift(layers: &mut Layers, [warning_key, drift_key]: [&str; 2], warning: f64, drift: f64) {
    if warning <= drift {
        return;
    }
    let origin = latest_origin(layers, &[warning_key, drift_key]);
    let is_at = |key: &str| layers.entries.get(key).is_some_and(|entry| entry.origin == origin);
    let own = |key: &str| key.starts_with("features.");
    let hint = "a warning comes before drift: lower the one or raise the other";
    if own(warning_key) == own(drift_key) && is_at(warning_key) || own(warning_key) && !own(drift_key) {
        layers.problem(origin, warning_key, format!("`{warning}` is above `{drift_key}`, `{drift}`"), hint);
    } else {
        layers.problem(origin, drift_key, format!("`{drift}` is below `{warning_key}`, `{warning}`"), hint);
    }
}

/// The keys that give a column a role.
const ROLES: [&str; 4] = ["logs.timestamp", "logs.cluster", "prediction.class", "prediction.confidence"];

fn roles(layers: &mut Layers, config: &Config) {
    for (index, role) in ROLES.iter().enumerate() {
        let column = text(layers, role).to_owned();
        if column.is_empty() {
            continue;
        }
        if let Some(earlier) = ROLES.iter().take(index).find(|earlier| text(layers, earlier) == column) {
            let origin = latest_origin(layers, &[earlier, role]);
            let message = format!("{} is `{earlier}` already", shown(&column));
            layers.problem(origin, role, message, "name another column");
        }
        let Include::Named(names) = &config.features.include else { continue };
        if let Some(item) = names.iter().position(|name| name.as_str() == column) {
            let origin = layers.entries.get("features.include").map_or(Origin::Default, |entry| entry.item_origin(item));
            let message = format!("{} is listed as a feature and is `{role}`", shown(&column));
            layers.problem(origin, "features.include", message, "remove it from the list");
        }
    }
}

fn overrides(layers: &mut Layers, config: &Config) {
    let names: BTreeSet<String> = layers
        .entries
        .values()
        .filter(|entry| matches!(entry.path.as_slice(), [section, group, ..] if section == "features" && group == "override"))
        .filter_map(|entry| entry.path.get(2).cloned())
        .collect();
    for name in names {
        let prefix = dotted(&["features", "override", &name]);
        let key = ["kind", "psi_drift", "psi_warning"].map(|last| format!("{prefix}.{last}"));
        let first = key.iter().filter_map(|key| layers.entries.get(key)).map(|entry| entry.origin.clone()).min();
        let origin = first.unwrap_or(Origin::Default);
        if config.columns_with_a_role().contains(name.as_str()) {
            let message = format!("{} has a role of its own and is not a feature", shown(&name));
            layers.problem(origin, &prefix, message, "remove the section");
            continue;
        }
        let Include::Named(included) = &config.features.include else { continue };
        if !included.iter().any(|feature| feature.as_str() == name) && sound(layers, &["features.include"]) {
            let meant = super::keys::nearest(&name, included.iter().map(crate::feature::FeatureName::as_str));
            let hint = match meant {
                Some(meant) => format!("did you mean {}?", shown(meant)),
                None => "add the feature to the list, or remove the section".to_owned(),
            };
            layers.problem(origin, &prefix, format!("{} is not in `features.include`", shown(&name)), hint);
        }
    }
}

fn signals(layers: &mut Layers) {
    for signal in SIGNALS {
        let (mode, sent_to) = (format!("signals.{signal}.mode"), format!("signals.{signal}.channels"));
        if text(layers, &mode) != "notify" || !sound(layers, &[&mode, &sent_to]) {
            continue;
        }
        let names = list(layers, &sent_to);
        if names.is_empty() {
            let origin = latest_origin(layers, &[&mode, &sent_to]);
            layers.problem(
                origin,
                &sent_to,
                "is empty, so \"notify\" would tell nobody",
                "name a channel, or write mode = \"shadow\"",
            );
        }
    }
}

/// A signal that is computed has what it is computed from.
fn signals_need(layers: &mut Layers, config: &Config) {
    let mut need = |signal: &str, keys: &[&str], is_there: bool, what: &str| {
        let mode = format!("signals.{signal}.mode");
        if text(layers, &mode) == "off" || is_there || !sound(layers, keys) || !sound(layers, &[&mode]) {
            return;
        }
        let origin = latest_origin(layers, &[&mode]);
        let hint = format!("set `{}`, or write mode = \"off\"", keys.join("` or `"));
        layers.problem(origin, &mode, what, hint);
    };
    let prediction = &config.prediction;
    let confidence = prediction.confidence.is_some();
    need("low-confidence", &["prediction.confidence"], confidence, "needs the column of the confidence");
    need(
        "low-confidence",
        &["logs.timestamp"],
        config.logs.timestamp.is_some(),
        "needs the time of each row, to tell the last ones",
    );
    let either = ["prediction.class", "prediction.confidence"];
    need("prediction-drift", &either, confidence || prediction.class.is_some(), "needs the columns of the predictions");
    let feedback = !matches!(config.store, Store::Sqlite { .. }) || config.feedback.path.is_some();
    need("accuracy", &["feedback.path"], feedback, "needs the users' feedback");
}

/// The copy is a file of this machine, or an object of a bucket.
fn report_copy(layers: &mut Layers) {
    let key = "report.path";
    let path = text(layers, key).to_owned();
    let is_object = path.strip_prefix("gs://").is_some_and(|object| object.split_once('/').is_some_and(|(_, key)| !key.is_empty()));
    if path.contains("://") && !is_object || path.ends_with('/') {
        let origin = latest_origin(layers, &[key]);
        let hint = "name a file, \"gs://BUCKET/NAME.html\", or leave it out: {report.prefix}{job.name}/latest.html in the bucket is the same page";
        layers.problem(origin, key, "is neither a file nor an object of Cloud Storage", hint);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::load;

    /// What is said of a configuration, a line each.
    pub(super) fn problems(text: &str) -> Vec<String> {
        let error = load(Some(("x.toml", text)), [], &[]).err();
        error.map(|error| error.to_string().lines().map(str::to_owned).collect()).unwrap_or_default()
    }

    #[test]
    fn a_warning_comes_before_drift() {
        assert_eq!(
            problems("[policy]\npsi_drift = 0.2\npsi_warning = 0.3\n"),
            ["x.toml:3: policy.psi_warning: `0.3` is above `policy.psi_drift`, `0.2`; \
              a warning comes before drift: lower the one or raise the other"]
        );
        assert_eq!(problems("features.override.a.psi_drift = 0.01\n").len(), 1);
        assert_eq!(problems("features.override.a.psi_drift = 0.01\nfeatures.override.a.psi_warning = 0.01\n"), [""; 0]);
    }

    #[test]
    fn a_column_has_one_role() {
        let text = "[logs]\ntimestamp = \"t\"\ncluster = \"t\"\n[features]\ninclude = [\n\"a\",\n\"t\",\n\"b\"]\n[prediction]\nclass = \"b\"\n";
        assert_eq!(
            problems(text),
            [
                "x.toml:3: logs.cluster: `t` is `logs.timestamp` already; name another column",
                "x.toml:7: features.include: `t` is listed as a feature and is `logs.timestamp`; remove it from the list",
                "x.toml:7: features.include: `t` is listed as a feature and is `logs.cluster`; remove it from the list",
                "x.toml:8: features.include: `b` is listed as a feature and is `prediction.class`; remove it from the list",
            ]
        );
    }

    #[test]
    fn an_override_is_of_a_feature_that_is_checked() {
        let text = "[features]\ninclude = [\"sphericity\", \"extent\"]\n[features.override.sphericty]\nkind = \"numeric\"\n";
        assert_eq!(
            problems(text),
            ["x.toml:4: features.override.sphericty: `sphericty` is not in `features.include`; did you mean `sphericity`?"]
        );
        assert_eq!(problems("features.override.any.kind = \"numeric\"\n"), [""; 0]);
        assert_eq!(problems("logs.timestamp = \"t\"\nfeatures.override.t.kind = \"numeric\"\n").len(), 1);
    }

    #[test]
    fn a_signal_that_notifies_has_somebody_to_tell() {
        assert_eq!(
            problems("[signals.no-data]\nmode = \"notify\"\nchannels = []\n"),
            [
                "x.toml:3: signals.no-data.channels: is empty, so \"notify\" would tell nobody; name a channel, or write mode = \"shadow\""
            ]
        );
    }

    #[test]
    fn a_signal_has_what_it_is_computed_from() {
        assert_eq!(
            problems("[signals.accuracy]\nmode = \"shadow\"\n"),
            ["x.toml:2: signals.accuracy.mode: needs the users' feedback; set `feedback.path`, or write mode = \"off\""]
        );
        assert_eq!(problems("signals.accuracy.mode = \"shadow\"\nstore.kind = \"firestore\"\n"), [""; 0]);
        assert_eq!(problems("signals.low-confidence.mode = \"shadow\"\n").len(), 2);
        let complete = "prediction.confidence = \"c\"\nlogs.timestamp = \"t\"\n";
        assert_eq!(problems(&format!("{complete}signals.low-confidence.mode = \"shadow\"\n")), [""; 0]);
        assert_eq!(problems(&format!("{complete}signals.prediction-drift.mode = \"shadow\"\n")), [""; 0]);
        assert_eq!(problems("signals.prediction-drift.mode = \"shadow\"\n").len(), 1);
    }

    #[test]
    fn the_copy_of_the_report_is_a_file_or_an_object() {
        for wrong in ["s3://reports/drift_report.html", "gs://reports", "gs://reports/", "reports/"] {
            let found = problems(&format!("report.path = \"{wrong}\"\n"));
            assert!(found[0].starts_with("x.toml:1: report.path: is neither a file nor an object"), "{wrong}: {found:?}");
        }
        for right in ["/gcs/drift/drift_report.html", "gs://reports/drift/drift_report.html", "report.html"] {
            assert_eq!(problems(&format!("report.path = \"{right}\"\n")), [""; 0]);
        }
    }

    #[test]
    fn what_a_choice_needs_is_asked_for() {
        assert_eq!(problems("window.anchor = \"latest\"\n").len(), 1);
        assert_eq!(problems("window.anchor = \"latest\"\nlogs.timestamp = \"t\"\n"), [""; 0]);
    }
}
