//! Two layers from environment variables: the names of the platform that the job joins, and over them `DRIFT_CHECK__SECTION__KEY`.
//!
//! The variables are given; nothing here reads the process's environment.

use std::collections::BTreeMap;

use super::keys::{KEYS, nearest};
use super::layer::Layers;
use super::problem::Origin;
use super::value::{Value, shown};

/// What every variable of ours begins with.
const PREFIX: &str = "DRIFT_CHECK__";

/// The variables of the platform that are honoured, and the key that each sets. Set but empty counts as not set: deployment
/// tools write it so.
pub const PLATFORM: [(&str, &str); 11] = [
    ("DRIFT_CURRENT_PATH", "logs.path"),
    ("DRIFT_REFERENCE_PATH", "reference.path"),
    ("DRIFT_REPORT_PATH", "report.path"),
    ("FEEDBACK_DB", "feedback.path"),
    (FIRESTORE_EMULATOR_HOST, "store.endpoint"),
    ("GCP_PROJECT_ID", "store.project"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "metrics.ca_file"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "metrics.otlp_endpoint"),
    (OTLP_HEADERS, "metrics.otlp_headers"),
    (STORAGE_EMULATOR_HOST, "bucket.endpoint"),
    (USE_FIRESTORE, "store.kind"),
];

const USE_FIRESTORE: &str = "USE_FIRESTORE";
/// Holds the secret itself: the key says where it is.
const OTLP_HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const OTLP_HEADERS_REFERENCE: &str = "env:OTEL_EXPORTER_OTLP_HEADERS";
/// Some tools write it with the scheme, some without.
const STORAGE_EMULATOR_HOST: &str = "STORAGE_EMULATOR_HOST";

/// `HOST:PORT`, as Google's own clients read it.
const FIRESTORE_EMULATOR_HOST: &str = "FIRESTORE_EMULATOR_HOST";

/// The variable that sets a key: `DRIFT_CHECK__LOGS__MAX_ROW_BYTES`.
pub fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").replace('-', "_").to_uppercase())
}

/// Reads both layers.
pub(super) fn read(layers: &mut Layers, variables: impl IntoIterator<Item = (String, String)>) {
    let variables: BTreeMap<String, String> = variables.into_iter().collect();
    for (name, key) in PLATFORM {
        if let Some(value) = variables.get(name).filter(|value| !value.is_empty()) {
            platform(layers, name, key, value);
        }
    }
    let mut of_features = Vec::new();
    for (name, value) in &variables {
        let origin = Origin::Environment { name: name.clone() };
        match meaning(name) {
            Meaning::Key(path) => layers.set_plain(&segments(path), value, origin),
            Meaning::Misspelt(path) => {
                let hint = format!("write {}, in capitals and with two underscores between the parts", variable(path));
                layers.problem(origin, path, "the variable is not read under this name", hint);
            }
            // Which feature is meant can depend on the list of features, which another variable may set.
            Meaning::Override { feature, key } => of_features.push((feature, key, value, origin)),
            Meaning::Nothing if name.starts_with(PREFIX) => unknown(layers, name, origin),
            Meaning::Nothing => {}
        }
    }
    for (feature, key, value, origin) in of_features {
        let path = ["features".to_owned(), "override".to_owned(), meant_feature(layers, feature), key.to_owned()];
        layers.set_plain(&path, value, origin);
    }
}

fn platform(layers: &mut Layers, name: &str, key: &str, value: &str) {
    let origin = Origin::Environment { name: name.to_owned() };
    let address = format!("http://{value}");
    let value = match (name, value.to_ascii_lowercase().as_str()) {
        (STORAGE_EMULATOR_HOST, _) if !value.contains("://") => &address,
        (USE_FIRESTORE, "1" | "true" | "yes") => "firestore",
        (USE_FIRESTORE, "0" | "false" | "no") => "sqlite",
        (USE_FIRESTORE, _) => {
            layers.refused.insert(key.to_owned());
            return layers.problem(origin, key, format!("{} is neither yes nor no", shown(value)), "write 1 or 0");
        }
        (OTLP_HEADERS, _) => OTLP_HEADERS_REFERENCE,
        (FIRESTORE_EMULATOR_HOST, _) if !value.contains("://") => &address,
        _ => value,
    };
    layers.set_plain(&segments(key), value, origin);
}

fn segments(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

/// What a variable's name says.
enum Meaning<'a> {
    Key(&'static str),
    Misspelt(&'static str),
    Override { feature: &'a str, key: &'static str },
    Nothing,
}

/// A name in lower case or with single underscores is recognised too, so that the slip can be reported; only where it spells a whole key, because
/// orchestrators set names such as `DRIFT_CHECK_PORT` by themselves.
fn meaning(name: &str) -> Meaning<'_> {
    let upper = name.to_uppercase();
    // Most are not ours at all.
    if !upper.starts_with(PREFIX.trim_end_matches('_')) {
        return Meaning::Nothing;
    }
    for key in KEYS {
        let expected = variable(key.path);
        if let Some((before, after)) = expected.split_once('*') {
            let feature = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            let last = key.path.rsplit('.').next();
            if let (Some(feature), Some(key)) = (feature.filter(|feature| !feature.is_empty()), last) {
                return Meaning::Override { feature, key };
            }
        } else if name == expected {
            return Meaning::Key(key.path);
        } else if [expected.replace("__", "_"), expected].contains(&upper) {
            return Meaning::Misspelt(key.path);
        }
    }
    Meaning::Nothing
}

fn unknown(layers: &mut Layers, name: &str, origin: Origin) {
    let known: Vec<String> = KEYS.iter().map(|key| variable(key.path)).collect();
    let hint = match nearest(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean {}?", meant.replace('*', "FEATURE")),
        None => format!("names are {PREFIX}SECTION__KEY"),
    };
    let key = name.strip_prefix(PREFIX).unwrap_or(name).to_lowercase().replace("__", ".");
    layers.problem(origin, &key, "is not a known key", hint);
}

/// The feature that a part of a variable's name stands for: names of features may hold lower-case letters and characters that a
/// variable's name cannot. The part itself where no single known feature fits.
fn meant_feature(layers: &Layers, part: &str) -> String {
    let plain =
        |name: &str| name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect::<String>();
    let listed = match layers.entries.get("features.include").map(|entry| &entry.value) {
        Some(Value::List(names)) => names.as_slice(),
        _ => &[],
    };
    let overridden = layers.entries.values().filter_map(|entry| match entry.path.as_slice() {
        [features, section, name, _] if features == "features" && section == "override" => Some(name),
        _ => None,
    });
    let known: std::collections::BTreeSet<&String> = listed.iter().chain(overridden).collect();
    if known.iter().any(|name| name.as_str() == part) {
        return part.to_owned();
    }
    let mut fitting = known.into_iter().filter(|name| plain(name) == plain(part));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => only.clone(),
        _ => part.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(variables: &[(&str, &str)]) -> Layers {
        let mut layers = super::super::layer::read("features.include = [\"wavelet_L2\", \"a b\"]\n");
        read(&mut layers, variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        layers
    }

    fn set(layers: &Layers, key: &str) -> String {
        layers.entries.get(key).map(|entry| format!("{} # {}", entry.value, entry.origin)).unwrap_or_default()
    }

    #[test]
    fn a_variable_sets_the_key_that_its_name_spells() {
        let layers = layers(&[
            ("DRIFT_CHECK__POLICY__SHARE", "0.4"),
            ("DRIFT_CHECK__SIGNALS__DATA_DRIFT__CHANNELS", "slack,email"),
            ("DRIFT_CHECK_SERVICE_PORT", "80"),
            ("PATH", "/bin"),
        ]);
        assert_eq!(layers.problems, []);
        assert_eq!(set(&layers, "policy.share"), "0.4 # env DRIFT_CHECK__POLICY__SHARE");
        assert!(set(&layers, "signals.data-drift.channels").starts_with(r#"["slack", "email"] # env"#));
    }

    #[test]
    fn a_variable_finds_the_feature_that_it_can_only_spell_roughly() {
        let layers = layers(&[
            ("DRIFT_CHECK__FEATURES__OVERRIDE__WAVELET_L2__PSI_DRIFT", "0.2"),
            ("DRIFT_CHECK__FEATURES__OVERRIDE__A_B__KIND", "categorical"),
            ("DRIFT_CHECK__FEATURES__OVERRIDE__other__KIND", "numeric"),
        ]);
        assert!(set(&layers, "features.override.wavelet_L2.psi_drift").starts_with("0.2"));
        assert!(set(&layers, "features.override.\"a b\".kind").starts_with("\"categorical\""));
        assert!(set(&layers, "features.override.other.kind").starts_with("\"numeric\""));
    }

    #[test]
    fn an_unknown_variable_of_ours_is_a_problem_that_names_the_nearest() {
        let problems: Vec<String> = layers(&[
            ("DRIFT_CHECK__POLICY__SHAR", "0.4"),
            ("DRIFT_CHECK_POLICY_SHARE", "0.4"),
            ("drift_check__policy__alpha", "0.4"),
            ("DRIFT_CHECK__POLICY", "0.4"),
            ("DRIFT_CHECK__", "x"),
        ])
        .problems
        .iter()
        .map(ToString::to_string)
        .collect();
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert!(problems.iter().any(|problem| {
            problem == "env DRIFT_CHECK__POLICY__SHAR: policy.shar: is not a known key; did you mean DRIFT_CHECK__POLICY__SHARE?"
        }));
        assert!(problems.iter().any(|problem| problem.contains("two underscores")));
    }

    #[test]
    fn the_names_of_the_platform_are_honoured_unless_empty() {
        let firestore = |value| set(&layers(&[(USE_FIRESTORE, value)]), "store.kind");
        assert_eq!(firestore("1"), "\"firestore\" # env USE_FIRESTORE");
        assert_eq!(firestore("False"), "\"sqlite\" # env USE_FIRESTORE");
        assert_eq!(firestore(""), "");
        assert_eq!(layers(&[(USE_FIRESTORE, "maybe")]).problems.len(), 1);
        for host in ["localhost:9000", "http://localhost:9000"] {
            let endpoint = set(&layers(&[(STORAGE_EMULATOR_HOST, host)]), "bucket.endpoint");
            assert_eq!(endpoint, "\"http://localhost:9000\" # env STORAGE_EMULATOR_HOST");
        }
        let both = layers(&[("GCP_PROJECT_ID", "a"), ("DRIFT_CHECK__STORE__PROJECT", "b")]);
        assert_eq!(set(&both, "store.project"), "\"b\" # env DRIFT_CHECK__STORE__PROJECT");
    }
}
