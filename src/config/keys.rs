//! The table of every key that a configuration may hold: its path and what its value may be.
//!
//! What a key means, and its default, stand in `config/default.toml` and nowhere else; tests hold the two against each other. Knows
//! nothing of files, environments or flags.

use std::ops::Bound::{self, Excluded, Included};

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted; `*` stands for any one name.
    pub path: &'static str,
    pub kind: ValueKind,
}

/// What the value of a key may be. "Or empty" means: an empty text is "not set".
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueKind {
    /// A name that becomes part of an object's key.
    Label,
    /// Text, or empty.
    Text,
    /// A path, never empty.
    Path,
    /// A prefix of object keys that ends in `/`.
    Folder,
    /// `file:PATH` or `gs://BUCKET`.
    BucketUri,
    /// An `http` or `https` address without credentials, or empty.
    Url,
    /// `HOST` or `HOST:PORT` without credentials, or empty.
    Host,
    /// `(default)`, or the name of a Firestore database.
    Database,
    /// A positive length of time.
    Length,
    /// A positive length of time, or empty.
    OptionalLength,
    /// A length of time, `0s` included.
    LengthOrZero,
    /// How a date is written in an object's key, or empty.
    DatePattern,
    /// A finite number between the bounds.
    Number(Bound<f64>, Bound<f64>),
    /// A whole number from the first to the second, both included.
    Integer(i64, i64),
    /// One of these.
    Choice(&'static [&'static str]),
    /// `auto`, or a list of feature names.
    Features,
    /// A list of these, possibly empty.
    Subset(&'static [&'static str]),
    /// A list of texts, possibly empty.
    Texts,
    /// `true` or `false`.
    Switch,
    /// `env:NAME` or `file:/path`, never the secret itself, or empty.
    Secret,
}

/// The channels, as they are written.
pub const CHANNELS: &[&str] = &["slack", "email", "pagerduty", "webhook"];

/// The signals, as they are written.
pub const SIGNALS: [&str; 7] =
    ["data-drift", "low-confidence", "accuracy", "prediction-drift", "broken-input", "no-data", "storage"];

/// Runs in a row; a year of them at six-hour steps.
const RUNS: ValueKind = ValueKind::Integer(1, 1_460);
const MODE: ValueKind = ValueKind::Choice(&["notify", "shadow", "off"]);
const SENT_TO: ValueKind = ValueKind::Subset(CHANNELS);
/// Strictly between 0 and 1.
const PROBABILITY: ValueKind = ValueKind::Number(Excluded(0.0), Excluded(1.0));
/// A PSI above 10 means that the two sides share next to nothing; a threshold beyond it could never be reached.
const PSI: ValueKind = ValueKind::Number(Excluded(0.0), Included(10.0));
const PSI_OR_ZERO: ValueKind = ValueKind::Number(Included(0.0), Included(10.0));
/// The largest sizes are 1 PB: beyond any bucket, within an `i64` and exact in an `f64`.
const SIZE_BYTES: ValueKind = ValueKind::Integer(1, 1_000_000_000_000_000);

const fn key(path: &'static str, kind: ValueKind) -> Key {
    Key { path, kind }
}

/// Every key, in the order of `config/default.toml`.
pub const KEYS: &[Key] = &[
    key("job.name", ValueKind::Label),
    key("job.environment", ValueKind::Label),
    key("bucket.uri", ValueKind::BucketUri),
    key("bucket.endpoint", ValueKind::Url),
    key("bucket.timeout", ValueKind::Length),
    key("reference.path", ValueKind::Path),
    key("logs.prefix", ValueKind::Folder),
    key("logs.path", ValueKind::Text),
    key("logs.table", ValueKind::Text),
    key("logs.timestamp", ValueKind::Text),
    key("logs.naive_timestamps", ValueKind::Choice(&["utc", "reject"])),
    key("logs.cluster", ValueKind::Text),
    key("logs.date_pattern", ValueKind::DatePattern),
    key("logs.date_slack", ValueKind::LengthOrZero),
    key("logs.max_rejected_fraction", ValueKind::Number(Included(0.0), Included(1.0))),
    key("logs.max_row_bytes", ValueKind::Integer(1_024, 1_073_741_824)),
    key("engine.kind", ValueKind::Choice(&["local", "spark"])),
    key("engine.remote", ValueKind::Text),
    key("engine.token", ValueKind::Secret),
    key("engine.timeout", ValueKind::Length),
    key("window.length", ValueKind::Length),
    key("window.anchor", ValueKind::Choice(&["now", "latest"])),
    key("features.include", ValueKind::Features),
    key("features.override.*.kind", ValueKind::Choice(&["numeric", "categorical"])),
    key("features.override.*.psi_drift", PSI),
    key("features.override.*.psi_warning", PSI_OR_ZERO),
    key("prediction.class", ValueKind::Text),
    key("prediction.confidence", ValueKind::Text),
    key("policy.share", ValueKind::Number(Included(0.0), Excluded(1.0))),
    key("policy.alpha", PROBABILITY),
    key("policy.psi_drift", PSI),
    key("policy.psi_warning", PSI_OR_ZERO),
    key("policy.psi_unseen", PSI),
    key("policy.rule", ValueKind::Choice(&["significant-and-material", "ks", "psi", "either"])),
    key("policy.min_effective_rows", ValueKind::Integer(1, 1_000_000)),
    key("policy.joint_features", ValueKind::Integer(0, 128)),
    key("signals.data-drift.mode", MODE),
    key("signals.data-drift.channels", SENT_TO),
    key("signals.data-drift.open_after", RUNS),
    key("signals.data-drift.close_after", RUNS),
    key("signals.data-drift.repeat", ValueKind::OptionalLength),
    key("signals.low-confidence.mode", MODE),
    key("signals.low-confidence.threshold", PROBABILITY),
    key("signals.low-confidence.last", ValueKind::Integer(1, 1_000_000)),
    key("signals.low-confidence.channels", SENT_TO),
    key("signals.low-confidence.open_after", RUNS),
    key("signals.low-confidence.close_after", RUNS),
    key("signals.low-confidence.repeat", ValueKind::OptionalLength),
    key("signals.accuracy.mode", MODE),
    key("signals.accuracy.threshold", PROBABILITY),
    key("signals.accuracy.period", ValueKind::Length),
    key("signals.accuracy.channels", SENT_TO),
    key("signals.accuracy.open_after", RUNS),
    key("signals.accuracy.close_after", RUNS),
    key("signals.accuracy.repeat", ValueKind::OptionalLength),
    key("signals.prediction-drift.mode", MODE),
    key("signals.prediction-drift.channels", SENT_TO),
    key("signals.prediction-drift.open_after", RUNS),
    key("signals.prediction-drift.close_after", RUNS),
    key("signals.prediction-drift.repeat", ValueKind::OptionalLength),
    key("signals.broken-input.mode", MODE),
    key("signals.broken-input.channels", SENT_TO),
    key("signals.broken-input.open_after", RUNS),
    key("signals.broken-input.close_after", RUNS),
    key("signals.broken-input.repeat", ValueKind::OptionalLength),
    key("signals.no-data.mode", MODE),
    key("signals.no-data.max_age", ValueKind::OptionalLength),
    key("signals.no-data.channels", SENT_TO),
    key("signals.no-data.open_after", RUNS),
    key("signals.no-data.close_after", RUNS),
    key("signals.no-data.repeat", ValueKind::OptionalLength),
    key("signals.storage.mode", MODE),
    key("signals.storage.max_logs_bytes", SIZE_BYTES),
    key("signals.storage.max_feedback_bytes", SIZE_BYTES),
    key("signals.storage.channels", SENT_TO),
    key("signals.storage.open_after", RUNS),
    key("signals.storage.close_after", RUNS),
    key("signals.storage.repeat", ValueKind::OptionalLength),
    key("channels.timeout", ValueKind::Length),
    key("channels.ca_file", ValueKind::Text),
    key("channels.slack.webhook", ValueKind::Secret),
    key("channels.email.smtp", ValueKind::Host),
    key("channels.email.tls", ValueKind::Choice(&["starttls", "implicit", "none"])),
    key("channels.email.from", ValueKind::Text),
    key("channels.email.to", ValueKind::Texts),
    key("channels.email.username", ValueKind::Text),
    key("channels.email.password", ValueKind::Secret),
    key("channels.email.attach_report", ValueKind::Switch),
    key("channels.pagerduty.key", ValueKind::Secret),
    key("channels.pagerduty.endpoint", ValueKind::Url),
    key("channels.webhook.url", ValueKind::Secret),
    key("channels.webhook.secret", ValueKind::Secret),
    key("store.kind", ValueKind::Choice(&["sqlite", "firestore"])),
    key("store.path", ValueKind::Path),
    key("store.project", ValueKind::Text),
    key("store.database", ValueKind::Database),
    key("store.collection_prefix", ValueKind::Label),
    key("store.endpoint", ValueKind::Url),
    key("store.timeout", ValueKind::Length),
    key("feedback.path", ValueKind::Text),
    key("feedback.collection", ValueKind::Label),
    key("report.prefix", ValueKind::Folder),
    key("report.path", ValueKind::Text),
    key("report.runbooks", ValueKind::Path),
    key("report.backfill_windows", ValueKind::Integer(0, 366)),
    key("report.trend_windows", ValueKind::Integer(1, 1_000)),
    key("metrics.textfile", ValueKind::Text),
    key("metrics.otlp_endpoint", ValueKind::Url),
    key("metrics.otlp_headers", ValueKind::Secret),
    key("metrics.otlp_auth", ValueKind::Choice(&["none", "google"])),
    key("metrics.ca_file", ValueKind::Text),
    key("metrics.timeout", ValueKind::Length),
    // Up to 1 TiB; 0 is off.
    key("cache.max_bytes", ValueKind::Integer(0, 1_099_511_627_776)),
    key("run.concurrency", ValueKind::Integer(0, 1_024)),
    // From 16 MiB, which a row group of a handful of columns fits into, to 1 TiB.
    key("run.max_download_bytes", ValueKind::Integer(16_777_216, 1_099_511_627_776)),
];

/// What stands at a path.
#[derive(Clone, Copy, Debug)]
pub enum Node {
    Leaf(&'static Key),
    Section,
    Unknown,
}

/// What comes after `path` in the path of a key that begins with it; nothing where it is the whole.
fn beyond<S: AsRef<str>>(key: &Key, path: &[S]) -> Option<&'static str> {
    path.iter().try_fold(key.path, |rest, segment| {
        let segment = segment.as_ref();
        let after = rest.strip_prefix('*').or_else(|| rest.strip_prefix(segment).filter(|_| is_one_segment(segment)))?;
        if after.is_empty() { Some(after) } else { after.strip_prefix('.') }
    })
}

/// Whether this can be a segment of a key in the table. TOML has others: quoted ones.
fn is_one_segment(segment: &str) -> bool {
    !segment.is_empty() && !segment.contains('.')
}

/// What the table knows about a path.
pub fn at<S: AsRef<str>>(path: &[S]) -> Node {
    let mut node = Node::Unknown;
    for key in KEYS {
        match beyond(key, path) {
            Some("") => return Node::Leaf(key),
            Some(_) => node = Node::Section,
            None => {}
        }
    }
    node
}

/// The names that may follow a path, in the order of the table.
fn children<S: AsRef<str>>(path: &[S]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for child in KEYS.iter().filter_map(|key| beyond(key, path)?.split('.').next()) {
        if !child.is_empty() && !found.contains(&child) {
            found.push(child);
        }
    }
    found
}

/// How alike two names must be (Jaro–Winkler, 0 to 1) before one is offered for the other: one slip in a short word passes.
const ALIKE: f64 = 0.84;

/// The candidate that was most probably meant by `name`.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    alike(name, candidates, ALIKE)
}

/// The candidate that is most like `name`, and not less than this: 1 for the same, 0 for nothing in common (Jaro and Winkler).
pub fn alike<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>, least: f64) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let wanted = plain(name);
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&wanted, &plain(candidate)), candidate))
        .filter(|(likeness, _)| *likeness >= least)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// What to write instead of an unknown path.
pub fn remedy<S: AsRef<str>>(path: &[S]) -> String {
    let Some((last, parent)) = path.split_last() else { return String::new() };
    let last = last.as_ref();
    let names: Vec<&str> = parent.iter().map(AsRef::as_ref).collect();
    let siblings = children(parent);
    if names == ["signals", "data-drift"] && last == "threshold" {
        return "the threshold of data-drift is `policy.share`".to_owned();
    }
    if let Some(sibling) = nearest(last, siblings.iter().copied()) {
        let meant: Vec<&str> = names.iter().copied().chain([sibling]).collect();
        return format!("did you mean `{}`?", dotted(&meant));
    }
    let elsewhere = |key: &&Key| !key.path.contains('*') && key.path.rsplit('.').next() == Some(last);
    let mut same_name = KEYS.iter().filter(elsewhere);
    if let (Some(only), None) = (same_name.next(), same_name.next()) {
        return format!("did you mean `{}`?", only.path);
    }
    if names.is_empty() {
        format!("the sections are {}", siblings.join(", "))
    } else {
        format!("`{}` knows {}", dotted(&names), siblings.join(", "))
    }
}

/// A path as TOML writes it: names that are not bare are quoted.
pub fn dotted<S: AsRef<str>>(path: &[S]) -> String {
    let segments: Vec<String> = path.iter().map(|segment| segment_as_toml(segment.as_ref())).collect();
    segments.join(".")
}

fn segment_as_toml(segment: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !segment.is_empty() && segment.bytes().all(bare) { segment.to_owned() } else { super::value::quoted(segment) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_key_a_section_or_unknown() {
        assert!(matches!(at(&["policy", "share"]), Node::Leaf(key) if key.path == "policy.share"));
        assert!(matches!(at(&["policy"]), Node::Section));
        assert!(matches!(at(&["features", "override"]), Node::Section));
        assert!(matches!(at(&["features", "override", "any thing"]), Node::Section));
        assert!(matches!(at(&["features", "override", "any thing", "kind"]), Node::Leaf(_)));
        assert!(matches!(at(&["policy", "share", "more"]), Node::Unknown));
        assert!(matches!(at(&["polcy"]), Node::Unknown));
        // Quoted segments.
        for path in [&["policy.share"][..], &["policy", "share", ""], &["policy", ""], &[""], &["policy.share", "more"]] {
            assert!(matches!(at(path), Node::Unknown), "{path:?}");
        }
    }

    #[test]
    fn an_unknown_path_comes_with_what_was_probably_meant() {
        assert_eq!(remedy(&["policy", "shar"]), "did you mean `policy.share`?");
        assert_eq!(remedy(&["polcy"]), "did you mean `policy`?");
        assert_eq!(remedy(&["logs", "max-row-bytes"]), "did you mean `logs.max_row_bytes`?");
        assert_eq!(remedy(&["policy", "timestamp"]), "did you mean `logs.timestamp`?");
        assert_eq!(remedy(&["window", "zzz"]), "`window` knows length, anchor");
        assert_eq!(remedy(&["signals", "data-drift", "threshold"]), "the threshold of data-drift is `policy.share`");
        assert_eq!(remedy(&["features", "override", "a b", "knd"]), "did you mean `features.override.\"a b\".kind`?");
    }

    #[test]
    fn every_signal_has_a_mode_and_channels() {
        for name in SIGNALS {
            assert!(matches!(at(&["signals", name, "mode"]), Node::Leaf(_)), "{name}");
            assert!(matches!(at(&["signals", name, "channels"]), Node::Leaf(_)), "{name}");
        }
        assert_eq!(children(&["signals"]), SIGNALS);
        assert_eq!(children(&["channels"])[2..], *CHANNELS);
    }
}
