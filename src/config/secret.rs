//! References to secrets. A configuration never holds a secret itself, so nothing that shows one can leak it.

use std::fmt;
use std::path::PathBuf;

/// Where a secret is found when it is needed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(SecretSource);

/// The two places that a secret can be kept in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// The environment variable of this name.
    Environment(String),
    /// The content of the file at this absolute path.
    File(PathBuf),
}

impl Secret {
    /// The reference that `text` writes: `env:NAME` or `file:/path`; none when it is anything else, such as the secret itself.
    pub fn reference(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("env:") {
            let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            let continues = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            return (starts && continues).then(|| Self(SecretSource::Environment(name.to_owned())));
        }
        let path = text.strip_prefix("file:")?;
        let is_absolute = path.len() > 1 && path.starts_with('/') && !path.ends_with('/');
        (is_absolute && !path.contains(char::is_control)).then(|| Self(SecretSource::File(PathBuf::from(path))))
    }

    pub fn source(&self) -> &SecretSource {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            SecretSource::Environment(name) => write!(f, "env:{name}"),
            SecretSource::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// The reference: there is no value in it to hide.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_as_it_is_written() {
        for text in ["env:SLACK_WEBHOOK", "env:_a1", "file:/secrets/slack-webhook"] {
            assert_eq!(Secret::reference(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_could_be_the_secret_itself_is_not_a_reference() {
        for text in
            ["", "hunter2", "https://hooks.example/T0/B0", "env:", "env:1A", "env:xoxb-12", "file:relative", "file:/", "file:/a/"]
        {
            assert!(Secret::reference(text).is_none(), "{text}");
        }
    }
}
