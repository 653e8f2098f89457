//! From the merged layers to the typed [`Config`].
//!
//! Every value has been held against its kind already. What is missing here was refused, and has its problem; a fallback then stands
//! in, which no caller ever sees.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as DeserializeError;

use super::layer::Layers;
use super::value::Value;
use super::{
    Anchor, BucketSettings, CacheSettings, ChannelName, Channels, Config, EmailChannel, EngineSettings, Features, Feedback,
    Include, Job, Logs, MetricsSettings, NaiveTimestamps, OtlpAuth, OtlpSettings, PagerdutyChannel, Prediction, Reference,
    ReportSettings, RunSettings, Secret, SignalSettings, Signals, SlackChannel, SparkSettings, Store, WebhookChannel,
    WindowSettings,
};
use crate::decision::Rule;
use crate::decision::policy::{Materiality, Policy};
use crate::decision::signal::{Predictions, SignalMode, SignalName};
use crate::feature::{FeatureKind, FeatureName};
use crate::notify::email::Tls;
use crate::store::FirestoreSettings;
use crate::window::Length;

/// The typed configuration; a key that has no usable value adds a problem.
pub(super) fn config(layers: &mut Layers) -> Config {
    let mut read = Reader { layers };
    Config {
        job: Job { name: read.text("job.name"), environment: read.text("job.environment") },
        bucket: BucketSettings {
            uri: read.text("bucket.uri"),
            endpoint: read.optional("bucket.endpoint"),
            timeout: read.parsed("bucket.timeout", Length::from_hours(1)),
        },
        reference: Reference { path: read.text("reference.path") },
        logs: read.logs(),
        engine: read.engine(),
        window: WindowSettings {
            length: read.parsed("window.length", Length::from_hours(24)),
            anchor: read.choice("window.anchor", Anchor::Now),
        },
        features: Features { include: read.include(), kinds: read.kinds() },
        prediction: Prediction { class: read.optional("prediction.class"), confidence: read.optional("prediction.confidence") },
        policy: read.policy(),
        signals: read.signals(),
        channels: read.channels(),
        store: read.store(),
        feedback: Feedback { path: read.optional("feedback.path"), collection: read.text("feedback.collection") },
        report: ReportSettings {
            prefix: read.text("report.prefix"),
            path: read.optional("report.path"),
            runbooks: format!("{}/", read.text("report.runbooks").trim_end_matches('/')),
            backfill_windows: read.integer("report.backfill_windows"),
            trend_windows: read.integer("report.trend_windows"),
        },
        metrics: read.metrics(),
        cache: CacheSettings { max_bytes: read.integer("cache.max_bytes") },
        run: RunSettings {
            concurrency: Some(read.integer("run.concurrency")).filter(|tasks| *tasks > 0),
            max_download_bytes: read.integer("run.max_download_bytes"),
        },
    }
}

struct Reader<'a> {
    layers: &'a mut Layers,
}

impl Reader<'_> {
    fn value(&mut self, key: &str) -> Option<Value> {
        let value = self.layers.entries.get(key).map(|entry| entry.value.clone());
        if value.is_none() {
            self.unusable(key);
        }
        value
    }

    /// Unreachable while every key has a valid default, which a test holds; if it fails, the run must not start.
    fn unusable(&mut self, key: &str) {
        if !self.layers.refused.contains(key) {
            self.layers.problem(super::Origin::Default, key, "has no usable value", "set it");
        }
    }

    fn text(&mut self, key: &str) -> String {
        match self.value(key) {
            Some(Value::Text(text)) => text,
            _ => String::new(),
        }
    }

    fn optional(&mut self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    fn secret(&mut self, key: &str) -> Option<Secret> {
        Secret::reference(&self.text(key))
    }

    fn number(&mut self, key: &str) -> f64 {
        match self.value(key) {
            Some(Value::Number(number)) => number,
            _ => f64::NAN,
        }
    }

    fn integer<T: TryFrom<i64> + Default>(&mut self, key: &str) -> T {
        let number = match self.value(key) {
            Some(Value::Integer(number)) => T::try_from(number).ok(),
            _ => None,
        };
        number.unwrap_or_else(|| {
            self.unusable(key);
            T::default()
        })
    }

    fn parsed<T: std::str::FromStr>(&mut self, key: &str, fallback: T) -> T {
        self.text(key).parse().unwrap_or_else(|_| {
            self.unusable(key);
            fallback
        })
    }

    fn choice<T: for<'de> Deserialize<'de>>(&mut self, key: &str, fallback: T) -> T {
        let text = self.text(key);
        chosen(&text).unwrap_or_else(|| {
            self.unusable(key);
            fallback
        })
    }

    fn switch(&mut self, key: &str) -> bool {
        matches!(self.value(key), Some(Value::Switch(true)))
    }

    fn list(&mut self, key: &str) -> Vec<String> {
        match self.value(key) {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        }
    }

    fn logs(&mut self) -> Logs {
        Logs {
            prefix: self.text("logs.prefix"),
            path: self.optional("logs.path"),
            table: self.optional("logs.table"),
            timestamp: self.optional("logs.timestamp"),
            naive_timestamps: self.choice("logs.naive_timestamps", NaiveTimestamps::Reject),
            cluster: self.optional("logs.cluster"),
            date_pattern: self.optional("logs.date_pattern"),
            // `0s` is the one accepted text that is not a `Length`.
            date_slack: self.text("logs.date_slack").parse().map_or(TimeDelta::zero(), Length::delta),
            max_rejected_fraction: self.number("logs.max_rejected_fraction"),
            max_row_bytes: self.integer("logs.max_row_bytes"),
        }
    }

    fn engine(&mut self) -> EngineSettings {
        match self.text("engine.kind").as_str() {
            "spark" => EngineSettings::Spark(SparkSettings {
                remote: self.text("engine.remote"),
                token: self.secret("engine.token"),
                timeout: self.parsed("engine.timeout", Length::from_hours(1)),
            }),
            _ => EngineSettings::Local,
        }
    }

    fn metrics(&mut self) -> MetricsSettings {
        let otlp = OtlpSettings {
            endpoint: self.text("metrics.otlp_endpoint"),
            headers: self.secret("metrics.otlp_headers"),
            auth: self.choice("metrics.otlp_auth", OtlpAuth::None),
            ca_file: self.optional("metrics.ca_file"),
        };
        MetricsSettings {
            textfile: self.optional("metrics.textfile"),
            otlp: Some(otlp).filter(|otlp| !otlp.endpoint.is_empty()),
            timeout: self.parsed("metrics.timeout", Length::from_hours(1)),
        }
    }

    fn include(&mut self) -> Include {
        match self.value("features.include") {
            Some(Value::List(names)) => Include::Named(names.into_iter().map(FeatureName::new).collect()),
            _ => Include::Auto,
        }
    }

    fn policy(&mut self) -> Policy {
        Policy {
            share: self.number("policy.share"),
            alpha: self.number("policy.alpha"),
            psi_drift: self.number("policy.psi_drift"),
            psi_warning: self.number("policy.psi_warning"),
            psi_unseen: self.number("policy.psi_unseen"),
            rule: self.choice("policy.rule", Rule::SignificantAndMaterial),
            min_effective_rows: f64::from(self.integer::<u32>("policy.min_effective_rows")),
            joint_features: self.integer("policy.joint_features"),
            overrides: self.materiality(),
        }
    }

    fn materiality(&self) -> BTreeMap<FeatureName, Materiality> {
        let mut overrides: BTreeMap<FeatureName, Materiality> = BTreeMap::new();
        for (feature, key, value) in self.overrides() {
            match (key, value) {
                ("psi_drift", Value::Number(psi)) => overrides.entry(feature).or_default().psi_drift = Some(*psi),
                ("psi_warning", Value::Number(psi)) => overrides.entry(feature).or_default().psi_warning = Some(*psi),
                _ => {}
            }
        }
        overrides
    }

    fn kinds(&self) -> BTreeMap<FeatureName, FeatureKind> {
        let kinds = self.overrides().filter_map(|(feature, key, value)| match (key, value) {
            ("kind", Value::Text(kind)) => Some((feature, chosen(kind)?)),
            _ => None,
        });
        kinds.collect()
    }

    /// The feature, the key and the value of everything under `features.override`.
    fn overrides(&self) -> impl Iterator<Item = (FeatureName, &str, &Value)> {
        self.layers.entries.values().filter_map(|entry| match entry.path.as_slice() {
            [section, group, feature, key] if section == "features" && group == "override" => {
                Some((FeatureName::new(feature), key.as_str(), &entry.value))
            }
            _ => None,
        })
    }

    fn signals(&mut self) -> Signals {
        Signals {
            settings: SignalName::ALL.map(|name| self.signal(name)).to_vec(),
            no_data_max_age: self.optional("signals.no-data.max_age").and_then(|text| text.parse().ok()),
            low_confidence: Predictions {
                threshold: self.number("signals.low-confidence.threshold"),
                last: self.integer("signals.low-confidence.last"),
            },
            accuracy_threshold: self.number("signals.accuracy.threshold"),
            accuracy_period: self.parsed("signals.accuracy.period", Length::from_hours(24)),
            max_logs_bytes: self.integer("signals.storage.max_logs_bytes"),
            max_feedback_bytes: self.integer("signals.storage.max_feedback_bytes"),
        }
    }

    fn signal(&mut self, name: SignalName) -> SignalSettings {
        let key = |last: &str| format!("signals.{name}.{last}");
        let channels = self.list(&key("channels"));
        SignalSettings {
            name,
            mode: self.choice(&key("mode"), SignalMode::Off),
            channels: channels.iter().filter_map(|channel| chosen::<ChannelName>(channel)).collect(),
            open_after: self.integer(&key("open_after")),
            close_after: self.integer(&key("close_after")),
            repeat: self.optional(&key("repeat")).and_then(|text| text.parse().ok()),
        }
    }

    fn channels(&mut self) -> Channels {
        let login = self.optional("channels.email.username").zip(self.secret("channels.email.password"));
        let smtp = self.optional("channels.email.smtp");
        Channels {
            timeout: self.parsed("channels.timeout", Length::from_hours(1)),
            ca_file: self.optional("channels.ca_file"),
            slack: self.secret("channels.slack.webhook").map(|webhook| SlackChannel { webhook }),
            email: smtp.map(|smtp| EmailChannel {
                smtp,
                tls: self.choice("channels.email.tls", Tls::Starttls),
                from: self.text("channels.email.from"),
                to: self.list("channels.email.to"),
                login,
                attach_report: self.switch("channels.email.attach_report"),
            }),
            pagerduty: self
                .secret("channels.pagerduty.key")
                .map(|key| PagerdutyChannel { key, endpoint: self.text("channels.pagerduty.endpoint") }),
            webhook: self
                .secret("channels.webhook.url")
                .map(|url| WebhookChannel { url, secret: self.secret("channels.webhook.secret") }),
        }
    }

    fn store(&mut self) -> Store {
        let timeout = self.parsed("store.timeout", Length::from_hours(1)).delta().to_std().unwrap_or_default();
        match self.text("store.kind").as_str() {
            "firestore" => Store::Firestore(FirestoreSettings {
                project: self.text("store.project"),
                database: self.text("store.database"),
                collection_prefix: self.text("store.collection_prefix"),
                endpoint: self.optional("store.endpoint"),
                timeout,
            }),
            _ => Store::Sqlite { path: self.text("store.path"), timeout },
        }
    }
}

/// The variant that is written `text`.
fn chosen<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    let deserializer: serde::de::value::StrDeserializer<'_, DeserializeError> = text.into_deserializer();
    T::deserialize(deserializer).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::{CHANNELS, KEYS, ValueKind};
    use crate::feature::FeatureKind;

    #[test]
    fn every_allowed_word_has_its_variant() {
        for key in KEYS {
            let ValueKind::Choice(words) = key.kind else { continue };
            for word in words {
                let has_variant = match key.path.rsplit('.').next().unwrap_or_default() {
                    "tls" => chosen::<Tls>(word).is_some(),
                    "otlp_auth" => chosen::<OtlpAuth>(word).is_some(),
                    "mode" => chosen::<SignalMode>(word).is_some(),
                    "rule" => chosen::<Rule>(word).is_some(),
                    "anchor" => chosen::<Anchor>(word).is_some(),
                    "naive_timestamps" => chosen::<NaiveTimestamps>(word).is_some(),
                    "kind" if key.path == "engine.kind" => matches!(*word, "local" | "spark"),
                    "kind" if key.path == "store.kind" => matches!(*word, "sqlite" | "firestore"),
                    "kind" => chosen::<FeatureKind>(word).is_some(),
                    _ => false,
                };
                assert!(has_variant, "{}: {word}", key.path);
            }
        }
        for channel in CHANNELS {
            assert_eq!(chosen::<ChannelName>(channel).map(ChannelName::as_str), Some(*channel));
        }
    }
}
