//! The configuration that counts: every key with its value and where that was given, as text, as JSON and as a digest.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::keys::KEYS;
use super::layer::{Entry, Layers};
use super::problem::Origin;
use super::value::{Value, quoted};

/// One key that counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Dotted, as TOML writes it.
    pub key: String,
    pub value: Value,
    pub origin: Origin,
}

/// Every key that has a value, in the order of `config/default.toml`, overrides of features by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    pub settings: Vec<Setting>,
}

/// A value whose TOML is longer than this, in characters, is written over several lines.
const LINE_CHARS: usize = 72;
/// Values wider than this, in characters, do not push the comments of all the others to the right.
const ALIGNED_CHARS: usize = 40;

impl Effective {
    pub(super) fn of(layers: &Layers) -> Self {
        let mut entries: Vec<(usize, &String, &Entry)> =
            layers.entries.iter().map(|(key, entry)| (position(key, &entry.path), key, entry)).collect();
        // All overrides share the position of the first of their keys; by key within it keeps those of a feature together.
        entries.sort_by(|left, right| (left.0, left.1).cmp(&(right.0, right.1)));
        let setting = |(_, key, entry): (usize, &String, &Entry)| Setting {
            key: key.clone(),
            value: entry.value.clone(),
            origin: entry.origin.clone(),
        };
        Self { settings: entries.into_iter().map(setting).collect() }
    }

    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    /// TOML, one key a line with its origin as a comment: what is shown can be saved and used.
    pub fn to_text(&self) -> String {
        let written: Vec<String> = self.settings.iter().map(|setting| setting.value.to_string()).collect();
        let key_chars = self.settings.iter().map(|setting| setting.key.chars().count()).max().unwrap_or(0);
        let lengths = written.iter().map(|value| value.chars().count());
        let value_chars = lengths.filter(|length| *length <= ALIGNED_CHARS).max().unwrap_or(0);
        let mut out = String::new();
        for (Setting { key, value, origin }, written) in self.settings.iter().zip(written) {
            // Writing to a string cannot fail.
            let _ = match value {
                Value::List(items) if written.chars().count() > LINE_CHARS => {
                    let items: Vec<String> = items.iter().map(|item| format!("    {},", quoted(item))).collect();
                    writeln!(out, "{key:key_chars$} = [  # {origin}\n{}\n]", items.join("\n"))
                }
                _ => writeln!(out, "{key:key_chars$} = {written:value_chars$}  # {origin}"),
            };
        }
        out
    }

    /// A list of `{ key, value, origin }`.
    pub fn to_json(&self) -> serde_json::Value {
        let setting = |setting: &Setting| {
            serde_json::json!({
                "key": setting.key,
                "value": setting.value.to_json(),
                "origin": setting.origin.to_string(),
            })
        };
        self.settings.iter().map(setting).collect()
    }

    /// The name of these values, wherever they were given: the first 16 hexadecimal digits of the SHA-256 of `key=JSON` lines.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for setting in &self.settings {
            hash.update(format!("{}={}\n", setting.key, setting.value.to_json()));
        }
        hash.finalize().iter().take(8).fold(String::new(), |mut digits, byte| {
            let _ = write!(digits, "{byte:02x}");
            digits
        })
    }
}

fn position(name: &str, path: &[String]) -> usize {
    let overrides = |pattern: &str| pattern.contains('*') && path.len() == 4;
    KEYS.iter().position(|key| key.path == name).or_else(|| KEYS.iter().position(|key| overrides(key.path))).unwrap_or(KEYS.len())
}
