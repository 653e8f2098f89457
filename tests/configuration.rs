//! The configuration as a user meets it: the files of `config/`, the layers, and the problems all at once.

use drift_check::config::{self, Anchor, Config, ConfigError, Effective, Flag, Include, Store};
use drift_check::decision::signal::SignalMode;
use proptest::prelude::*;

const LOCAL: (&str, &str) = ("config/local.toml", include_str!("../config/local.toml"));
const PRODUCTION: (&str, &str) = ("config/production.toml", include_str!("../config/production.toml"));
const BUILT_IN: (&str, &str) = ("config/default.toml", config::DEFAULT);

/// What somebody's first attempt may look like.
const MISTAKES: (&str, &str) = (
    "config/x.toml",
    r#"[job]
name = "ct-scan"

[window]
lenght = "24h"

[policy]
share = 30
rule = "significant"
psi_drift = 0.04

[channels.slack]
webhook = "https://hooks.example/services/T000/B000/hunter2"

[signals.data-drift]
mode = "notify"
channels = [
    "slack",
    "emial",
]
"#,
);

fn variables(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn flag(path: &str, value: &str, name: &str) -> Flag {
    Flag { path: path.to_owned(), value: value.to_owned(), name: name.to_owned() }
}

fn load_file(file: (&str, &str)) -> Result<(Config, Effective), ConfigError> {
    config::load(Some(file), [], &[])
}

#[test]
fn the_files_of_this_repository_load() {
    let (defaults, _) = config::load(None, [], &[]).unwrap();
    assert_eq!(load_file(BUILT_IN).unwrap().0, defaults);

    let (local, _) = load_file(LOCAL).unwrap();
    assert_eq!(local.bucket.uri, "file:./fixtures/bucket");
    assert_eq!(local.window.anchor, Anchor::Latest);
    assert!(local.logs.date_slack.is_zero());
    assert!(matches!(&local.features.include, Include::Named(names) if names.len() == 16));
    assert_eq!(local.store, Store::Sqlite { path: "drift-check.db".to_owned(), timeout: std::time::Duration::from_secs(20) });

    let (production, _) = load_file(PRODUCTION).unwrap();
    let notifying: Vec<String> =
        production.signals.settings.iter().filter(|s| s.mode == SignalMode::Notify).map(|s| s.name.to_string()).collect();
    assert_eq!(notifying, ["data-drift", "low-confidence", "broken-input", "no-data"]);
    assert_eq!(production.signals.no_data_max_age.map(|age| age.to_string()).as_deref(), Some("12h"));
    let Store::Firestore(settings) = &production.store else { panic!("{:?}", production.store) };
    assert_eq!((settings.project.as_str(), settings.database.as_str()), ("dtu-mlops-data-482907", "(default)"));
    assert_eq!((settings.endpoint.as_deref(), settings.timeout), (None, std::time::Duration::from_secs(20)));
    assert_eq!(production.features, local.features);
}

#[test]
fn every_mistake_is_reported_at_once_with_its_line() {
    insta::assert_snapshot!(load_file(MISTAKES).unwrap_err(), @r#"
    config/x.toml:5: window.lenght: is not a known key; did you mean `window.length`?
    config/x.toml:8: policy.share: `30` is out of range; write a number at least 0 and below 1
    config/x.toml:9: policy.rule: `significant` is not known; did you mean "significant-and-material"? allowed: significant-and-material, ks, psi, either
    config/x.toml:10: policy.psi_drift: `0.04` is below `policy.psi_warning`, `0.05`; a warning comes before drift: lower the one or raise the other
    config/x.toml:13: channels.slack.webhook: is not a reference to a secret (its value is not shown); write where the secret is kept, "env:NAME" or "file:/path", never the secret itself
    config/x.toml:19: signals.data-drift.channels: `emial` is not known; did you mean "email"? allowed: slack, email, pagerduty, webhook
    "#);
}

#[test]
fn each_layer_goes_over_the_one_before_and_leaves_its_name() {
    let file = ("a.toml", "[store]\nproject = \"file\"\n[policy]\nshare = 0.2\nalpha = 0.01\n[window]\nlength = \"6h\"\n");
    let environment = variables(&[
        ("GCP_PROJECT_ID", "platform"),
        ("DRIFT_REFERENCE_PATH", "/gcs/drift/reference.csv"),
        ("DRIFT_CHECK__STORE__PROJECT", "ours"),
        ("DRIFT_CHECK__POLICY__ALPHA", "0.02"),
        ("DRIFT_CHECK__WINDOW__LENGTH", "12h"),
    ]);
    let flags = [flag("window.length", "7d", "--window")];
    let (loaded, effective) = config::load(Some(file), environment, &flags).unwrap();
    assert_eq!(loaded.window.length.to_string(), "7d");
    let shown = |key: &str| effective.get(key).map(|setting| format!("{} {}", setting.value, setting.origin)).unwrap_or_default();
    assert_eq!(shown("job.name"), "\"drift-check\" default");
    assert_eq!(shown("policy.share"), "0.2 file a.toml:4");
    assert_eq!(shown("policy.alpha"), "0.02 env DRIFT_CHECK__POLICY__ALPHA");
    assert_eq!(shown("reference.path"), "\"/gcs/drift/reference.csv\" env DRIFT_REFERENCE_PATH");
    assert_eq!(shown("store.project"), "\"ours\" env DRIFT_CHECK__STORE__PROJECT");
    assert_eq!(shown("window.length"), "\"7d\" flag --window");
}

#[test]
fn a_value_that_a_later_layer_replaces_is_checked_all_the_same() {
    let flags = [flag("policy.share", "0.5", "--share")];
    let error = config::load(Some(("a.toml", "policy.share = 30\n")), [], &flags).unwrap_err();
    assert_eq!(error.problems.len(), 1);
}

#[test]
fn problems_come_from_every_layer() {
    let environment = variables(&[("DRIFT_CHECK__POLICY__SHAR", "0.2"), ("DRIFT_CHECK__RUN__CONCURRENCY", "many")]);
    let flags = [flag("window.length", "24", "--window"), flag("bucket.uri", "./data", "--bucket")];
    let error = config::load(Some(("a.toml", "jobs.name = \"x\"\n")), environment, &flags).unwrap_err();
    insta::assert_snapshot!(error, @r#"
    a.toml:1: jobs: is not a known section; did you mean `job`?
    env DRIFT_CHECK__POLICY__SHAR: policy.shar: is not a known key; did you mean DRIFT_CHECK__POLICY__SHARE?
    env DRIFT_CHECK__RUN__CONCURRENCY: run.concurrency: is `many`, not a number; write a whole number from 0 to 1024
    flag --bucket: bucket.uri: `./data` has no scheme; write "file:./data" for a folder; supported are a folder, "file:PATH", and Google Cloud Storage, "gs://BUCKET"
    flag --window: window.length: `24` is not a length of time; write a positive length of time, such as "30m", "6h", "24h" or "7d"
    "#);
}

#[test]
fn a_secret_is_in_no_output() {
    let secret = "hunter2";
    let hidden = |text: &str| assert!(!text.contains(secret), "{text}");
    let files = [
        format!("channels.slack.webhook = \"{secret}\"\n"),
        format!("channels.slack.webhok = \"{secret}\"\n"),
        format!("channels.slack = \"{secret}\"\n"),
        format!("channels.email.password = [\"{secret}\"]\n"),
        format!("channels.email.smtp = \"smtps://me:{secret}@host\"\n"),
        format!("bucket.endpoint = \"https://me:{secret}@host\"\n"),
        format!("bucket.uri = \"gs://me:{secret}@host\"\n"),
        format!("[channels.slack]\nwebhook = \"{secret}\n"),
        format!("[channels.slack]\nwebhook = {secret}\n"),
        format!("[channels.slack]\nwebhook = \"a\"\nwebhook = \"{secret}\"\n"),
    ];
    for text in files {
        let error = load_file(("a.toml", &text)).unwrap_err();
        hidden(&error.to_string());
        hidden(&format!("{error:?}"));
    }
    let environment =
        variables(&[("DRIFT_CHECK__CHANNELS__SLACK__WEBHOOK", secret), ("DRIFT_CHECK__CHANNELS__SLACK__HOOK", secret)]);
    hidden(&config::load(None, environment, &[]).unwrap_err().to_string());
    // A reference is shown, and is never resolved.
    let environment = variables(&[("DRIFT_CHECK__CHANNELS__SLACK__WEBHOOK", "env:HOOK"), ("HOOK", secret)]);
    let (loaded, effective) = config::load(None, environment, &[]).unwrap();
    assert!(effective.to_text().contains("\"env:HOOK\""));
    hidden(&format!("{loaded:?} {effective:?} {} {}", effective.to_text(), effective.to_json()));
}

/// What `config` shows can be saved and used: the same values, the same digest.
fn shows_what_it_loads((config, effective): &(Config, Effective)) {
    let text = effective.to_text();
    let (again, shown) = load_file(("saved.toml", &text)).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(&again, config);
    assert_eq!(shown.digest(), effective.digest());
}

#[test]
fn what_is_shown_can_be_saved_and_used() {
    for file in [BUILT_IN, LOCAL, PRODUCTION] {
        shows_what_it_loads(&load_file(file).unwrap());
    }
    let odd = (
        "a\nb = 1 # \u{1b}[31m.toml",
        "[features.override.\"a \\\"b\\\" é.\\\\\"]\nkind = \"categorical\"\npsi_drift = 1e-5\npsi_warning = 0\n",
    );
    shows_what_it_loads(&load_file(odd).unwrap());
}

#[test]
fn what_is_shown_is_in_the_order_of_the_defaults() {
    let file =
        ("a.toml", "[features]\ninclude = [\"dose\", \"age\"]\noverride.dose.psi_drift = 0.2\noverride.age.kind = \"numeric\"\n");
    let (_, effective) = load_file(file).unwrap();
    let text: Vec<String> = effective.to_text().lines().skip(14).take(16).map(str::to_owned).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    logs.max_rejected_fraction           = 0.05                        # default
    logs.max_row_bytes                   = 1048576                     # default
    engine.kind                          = "local"                     # default
    engine.remote                        = ""                          # default
    engine.token                         = ""                          # default
    engine.timeout                       = "1m"                        # default
    window.length                        = "24h"                       # default
    window.anchor                        = "now"                       # default
    features.include                     = ["dose", "age"]             # file a.toml:2
    features.override.age.kind           = "numeric"                   # file a.toml:4
    features.override.dose.psi_drift     = 0.2                         # file a.toml:3
    prediction.class                     = ""                          # default
    prediction.confidence                = ""                          # default
    policy.share                         = 0.3                         # default
    policy.alpha                         = 0.05                        # default
    policy.psi_drift                     = 0.1                         # default
    "#);
}

#[test]
fn the_digest_names_the_values_and_not_their_places() {
    let digest = |text: &str| load_file(("a.toml", text)).unwrap().1.digest();
    let base = digest("window.length = \"24h\"\n");
    assert_eq!(base.len(), 16);
    assert_eq!(digest("\n\nwindow.length = \"1d\"\npolicy.share = 0.3\n"), base);
    assert_ne!(digest("window.length = \"25h\"\n"), base);
    assert_ne!(digest("features.override.a.kind = \"numeric\"\n"), base);
}

fn as_json(text: &str) -> serde_json::Value {
    toml::from_str(text).unwrap()
}

#[test]
fn the_schema_accepts_the_files_and_refuses_the_mistakes() {
    let schema = config::schema();
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, text) in [BUILT_IN, LOCAL, PRODUCTION] {
        let errors: Vec<String> = validator.iter_errors(&as_json(text)).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{name}");
    }
    let shown = load_file(PRODUCTION).unwrap().1.to_text();
    assert!(validator.is_valid(&as_json(&shown)));
    let mut places: Vec<String> =
        validator.iter_errors(&as_json(MISTAKES.1)).map(|error| error.instance_path().to_string()).collect();
    places.sort();
    assert_eq!(places, ["/channels/slack/webhook", "/policy/rule", "/policy/share", "/signals/data-drift/channels/1", "/window"]);
    assert!(validator.is_valid(&as_json("features.override.any.kind = \"numeric\"\n")));
    assert!(!validator.is_valid(&as_json("features.override.any.knd = \"numeric\"\n")));
}

/// Values near enough to valid ones that most of the loader's branches are reached.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,3}[smhdwx]".prop_map(|text| format!("\"{text}\"")),
        "(file:|gs://|s3:|env:|http://)[a-z/.@]{0,6}".prop_map(|text| format!("\"{text}\"")),
        "%?[YmdH/%]{0,6}".prop_map(|text| format!("\"{text}\"")),
        "[a-z0-9./_-]{0,8}".prop_map(|text| format!("\"{text}\"")),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        any::<i64>().prop_map(|number| number.to_string()),
        prop::sample::select(vec![
            "true",
            "[]",
            "[1, \"a\", \"a\"]",
            "{}",
            "{ a = 1 }",
            "1979-05-27",
            "\"auto\"",
            "nan",
            "''",
            "\"é\""
        ])
        .prop_map(str::to_owned),
    ]
}

/// Documents that spell real keys, in sections or dotted, with values that may not fit.
fn document(most_lines: usize) -> impl Strategy<Value = String> {
    let keys: Vec<String> = load_file(BUILT_IN).unwrap().1.settings.into_iter().map(|setting| setting.key).collect();
    let key = prop_oneof![
        4 => prop::sample::select(keys),
        1 => "(job|logs|features\\.override|signals)\\.[a-z]{1,3}(\\.(kind|mode|psi_drift))?",
    ];
    prop::collection::vec((key, value(), any::<bool>()), 1..=most_lines).prop_map(|lines| {
        let line = |(key, value, in_section): (String, String, bool)| match key.rsplit_once('.') {
            Some((section, name)) if in_section => format!("[{section}]\n{name} = {value}\n"),
            _ => format!("{key} = {value}\n"),
        };
        lines.into_iter().map(line).collect()
    })
}

fn loads_or_explains(text: &str) -> Result<(), TestCaseError> {
    match load_file(("a.toml", text)) {
        Ok(loaded) => shows_what_it_loads(&loaded),
        Err(error) => {
            prop_assert!(!error.problems.is_empty());
            prop_assert_eq!(error.to_string().lines().count(), error.problems.len(), "one line a problem: {}", error);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_loads_or_is_explained(text in ".{0,200}|[\\[\\]a-z=\"'.#{},\n0-9 ]{0,200}") {
        loads_or_explains(&text)?;
    }

    #[test]
    fn any_document_of_known_keys_loads_or_is_explained(text in document(12)) {
        loads_or_explains(&text)?;
    }

    #[test]
    fn any_variable_and_any_flag_load_or_are_explained(
        name in "DRIFT_CHECK_{1,2}(POLICY|FEATURES__OVERRIDE|LOGS)(__)?[A-Z_a-z.\\PC]{0,12}",
        path in "[a-z.\\-\"]{0,20}",
        text in ".{0,20}",
    ) {
        let loaded = config::load(None, [(name, text.clone())], &[flag(&path, &text, "--x")]);
        prop_assert!(loaded.is_err(), "the flag's path is no key");
    }

    /// The schema may be looser than the loader, never stricter: an editor must not mark what works.
    #[test]
    fn what_loads_is_valid_by_the_schema(text in document(2)) {
        if load_file(("a.toml", &text)).is_ok() {
            let validator = jsonschema::validator_for(&config::schema()).unwrap();
            prop_assert!(validator.is_valid(&as_json(&text)), "{}", text);
        }
    }
}
