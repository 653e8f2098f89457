//! The configuration: what every other module may be told, its layers, and every problem with it at once.
//!
//! Layers, each over the one before: `config/default.toml` (built in) ← the file ← the platform's environment variables
//! ([`PLATFORM`]) ← `DRIFT_CHECK__SECTION__KEY` ← flags. Everything is given as text: nothing here reads a file, the environment or
//! a secret.

mod build;
mod checks;
mod effective;
mod environment;
mod keys;
mod kind;
pub mod known_drift;
mod layer;
mod problem;
mod schema;
mod secret;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use serde::Deserialize;

pub use effective::{Effective, Setting};
pub use environment::{PLATFORM, variable};
pub use keys::{alike, nearest};
pub use problem::{ConfigError, Origin, Problem};
pub use schema::schema;
pub use secret::{Secret, SecretSource};
pub use value::Value;

use crate::decision::policy::Policy;
use crate::decision::signal::{Predictions, SignalMode, SignalName};
use crate::feature::{FeatureKind, FeatureName};
use crate::ingest::timestamp::NaiveTimestamps;
use crate::notify;
pub use crate::notify::ChannelName;
use crate::store::FirestoreSettings;
use crate::window::Length;

/// The defaults and the documentation of every key.
pub const DEFAULT: &str = include_str!("../config/default.toml");

/// The configuration of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub job: Job,
    pub bucket: BucketSettings,
    pub reference: Reference,
    pub logs: Logs,
    pub engine: EngineSettings,
    pub window: WindowSettings,
    pub features: Features,
    pub prediction: Prediction,
    pub policy: Policy,
    pub signals: Signals,
    pub channels: Channels,
    pub store: Store,
    pub feedback: Feedback,
    pub report: ReportSettings,
    pub metrics: MetricsSettings,
    pub cache: CacheSettings,
    pub run: RunSettings,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub name: String,
    pub environment: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketSettings {
    /// `file:PATH` or `gs://BUCKET`.
    pub uri: String,
    pub endpoint: Option<String>,
    /// How long a call of a storage service may take, its retries included.
    pub timeout: Length,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub path: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Logs {
    /// Ends in `/`.
    pub prefix: String,
    /// Read instead of the bucket's prefix.
    pub path: Option<String>,
    /// A table of a cluster, read instead.
    pub table: Option<String>,
    /// None: every row is in the window.
    pub timestamp: Option<String>,
    pub naive_timestamps: NaiveTimestamps,
    pub cluster: Option<String>,
    /// `%Y`, `%m`, `%d`, `%H` only.
    pub date_pattern: Option<String>,
    /// How far the date in an object's key may be from the time of its rows; zero or positive.
    pub date_slack: TimeDelta,
    pub max_rejected_fraction: f64,
    pub max_row_bytes: usize,
}

/// Who reads the logs and counts their rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineSettings {
    Local,
    Spark(SparkSettings),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparkSettings {
    /// `sc://HOST[:PORT][/;KEY=VALUE;…]`, without a token.
    pub remote: String,
    pub token: Option<Secret>,
    /// How long it may take to be let in.
    pub timeout: Length,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSettings {
    pub length: Length,
    pub anchor: Anchor,
}

/// Where the window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// At the moment the run is for.
    Now,
    /// Just after the newest row: demonstrations and replays.
    Latest,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    pub include: Include,
    /// What a feature's values are, where that is not to be guessed.
    pub kinds: BTreeMap<FeatureName, FeatureKind>,
}

/// Which columns are features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Include {
    /// Every column that both sides share, except [`Config::columns_with_a_role`].
    Auto,
    /// These, in this order, each once; never empty.
    Named(Vec<FeatureName>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    pub class: Option<String>,
    pub confidence: Option<String>,
}

/// The signals: what each has in common with the others, and what is its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Signals {
    /// One for each of [`SignalName::ALL`], in that order.
    pub settings: Vec<SignalSettings>,
    /// `no-data` also fires when the newest row is older than this.
    pub no_data_max_age: Option<Length>,
    pub low_confidence: Predictions,
    /// The accuracy below which `accuracy` fires, in (0, 1).
    pub accuracy_threshold: f64,
    /// How far back from the end of the window feedback counts.
    pub accuracy_period: Length,
    pub max_logs_bytes: u64,
    pub max_feedback_bytes: u64,
}

impl Signals {
    /// The signals that are not off.
    pub fn evaluated(&self) -> impl Iterator<Item = &SignalSettings> {
        self.settings.iter().filter(|settings| settings.mode != SignalMode::Off)
    }

    /// Whether a signal is not off.
    pub fn is_evaluated(&self, name: SignalName) -> bool {
        self.evaluated().any(|settings| settings.name == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalSettings {
    pub name: SignalName,
    pub mode: SignalMode,
    /// Each is configured, and there is at least one, when the mode is `notify`.
    pub channels: Vec<ChannelName>,
    /// Firing runs in a row that open it, at least 1.
    pub open_after: u32,
    /// Quiet runs in a row that resolve it, at least 1.
    pub close_after: u32,
    /// How long after the last message an open signal is told of again; `None`: never.
    pub repeat: Option<Length>,
}

/// The channels that are configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels {
    /// How long one delivery may take with its retries.
    pub timeout: Length,
    /// Certificates that are trusted beside those of the system: a file in PEM.
    pub ca_file: Option<String>,
    pub slack: Option<SlackChannel>,
    pub email: Option<EmailChannel>,
    pub pagerduty: Option<PagerdutyChannel>,
    pub webhook: Option<WebhookChannel>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackChannel {
    pub webhook: Secret,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailChannel {
    /// `HOST` or `HOST:PORT`.
    pub smtp: String,
    pub tls: notify::email::Tls,
    pub from: String,
    /// Never empty.
    pub to: Vec<String>,
    /// Both or neither.
    pub login: Option<(String, Secret)>,
    pub attach_report: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagerdutyChannel {
    pub key: Secret,
    pub endpoint: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookChannel {
    pub url: Secret,
    /// Signs the payload.
    pub secret: Option<Secret>,
}

/// Where runs and the states of signals are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// `timeout`: how long is waited in all for others who hold the file.
    Sqlite {
        path: String,
        timeout: std::time::Duration,
    },
    Firestore(FirestoreSettings),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// The SQLite database, read when `store.kind` is `sqlite`.
    pub path: Option<String>,
    /// The collection, read when `store.kind` is `firestore`.
    pub collection: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportSettings {
    /// Ends in `/`.
    pub prefix: String,
    /// Where an extra copy of `report.html` is written.
    pub path: Option<String>,
    /// Where the runbooks are, as messages link them; ends in `/`.
    pub runbooks: String,
    /// How many earlier windows are computed from the logs for the trend where the store does not know them.
    pub backfill_windows: u32,
    pub trend_windows: u32,
}

/// Where the metrics of a run go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsSettings {
    /// Ends in `.prom`.
    pub textfile: Option<String>,
    pub otlp: Option<OtlpSettings>,
    /// How long handing them on may take with its retries.
    pub timeout: Length,
}

/// A collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpSettings {
    pub endpoint: String,
    /// `NAME=VALUE,…`.
    pub headers: Option<Secret>,
    pub auth: OtlpAuth,
    /// Certificates that are trusted beside those of the system: a file in PEM.
    pub ca_file: Option<String>,
}

/// Who the job is to a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtlpAuth {
    /// Whoever the headers say.
    None,
    /// Application Default Credentials of Google Cloud.
    Google,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// How many bytes of counts may be kept from run to run; 0: none.
    pub max_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSettings {
    /// None: one task a core.
    pub concurrency: Option<usize>,
    /// The memory of all Parquet row groups that are being read from elsewhere, in bytes.
    pub max_download_bytes: u64,
}

impl Config {
    /// The columns that are something else than a feature: timestamp, cluster, predicted class and confidence.
    pub fn columns_with_a_role(&self) -> BTreeSet<&str> {
        let roles = [&self.logs.timestamp, &self.logs.cluster, &self.prediction.class, &self.prediction.confidence];
        roles.into_iter().flatten().map(String::as_str).collect()
    }
}

/// A flag of the command line that sets a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The dotted key, such as `window.length`.
    pub path: String,
    pub value: String,
    /// As the user wrote it, such as `--window`.
    pub name: String,
}

/// The configuration of all layers, and where each value came from.
///
/// `file` is the name and the text of the configuration file, `environment` the variables of the process.
///
/// # Errors
/// Every problem of every layer at once, in the order of the places.
pub fn load(
    file: Option<(&str, &str)>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[Flag],
) -> Result<(Config, Effective), ConfigError> {
    let mut layers = layer::Layers::default();
    layers.read_toml(DEFAULT, &|_| Origin::Default);
    if let Some((name, text)) = file {
        layers.read_toml(text, &|line| Origin::File { name: name.to_owned(), line });
    }
    environment::read(&mut layers, environment);
    for flag in flags {
        let path: Vec<String> = flag.path.split('.').map(str::to_owned).collect();
        layers.set_plain(&path, &flag.value, Origin::Flag { name: flag.name.clone() });
    }
    let effective = Effective::of(&layers);
    let config = build::config(&mut layers);
    checks::across_keys(&mut layers, &config);
    if layers.problems.is_empty() {
        return Ok((config, effective));
    }
    let mut problems = layers.problems;
    problems.sort_by(|left, right| left.origin.cmp(&right.origin));
    Err(ConfigError { problems })
}
