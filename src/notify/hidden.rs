//! A secret in memory: it is used, and never shown.

use std::fmt;

/// What stands where a secret would.
pub(super) const REDACTED: &str = "[redacted]";

/// Parts of a secret address shorter than this, in bytes, are words such as `services`, which say nothing.
const TELLING_BYTES: usize = 9;

/// A secret value. Its `Debug` and `Display` forms do not hold it.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that uses it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// A text from outside, without this secret or a telling part of it: a server may repeat what it was sent.
    pub(super) fn scrub(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        let parts = self.0.split(['/', '?', '&', '=', '@']).filter(|part| part.len() >= TELLING_BYTES);
        for part in std::iter::once(self.0.as_str()).filter(|whole| !whole.is_empty()).chain(parts) {
            clean = clean.replace(part, REDACTED);
        }
        clean
    }
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_and_not_repeated() {
        let secret = Hidden::new("https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX");
        assert_eq!(format!("{secret} {secret:?}"), "[redacted] Hidden([redacted])");
        assert_eq!(secret.scrub("no team T00000000, no services"), "no team [redacted], no services");
        assert!(!secret.scrub("at /services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX").contains("XXX"));
        assert_eq!(Hidden::new("hunter2").scrub("not hunter2!"), "not [redacted]!");
        assert_eq!(Hidden::new("").scrub("nothing"), "nothing");
    }
}
