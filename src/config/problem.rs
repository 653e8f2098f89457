//! What is wrong with a configuration, where, and what to do about it: all of it at once.

use std::fmt;

use thiserror::Error;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Built in.
    Default,
    /// `line` counts from 1.
    File { name: String, line: usize },
    /// An environment variable.
    Environment { name: String },
    /// A flag of the command line.
    Flag { name: String },
}

impl Origin {
    /// The place alone, as compilers write it: `config/x.toml:12`.
    fn place(&self) -> String {
        match self {
            Self::File { name, line } => format!("{}:{line}", one_line(name)),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "file {}:{line}", one_line(name)),
            Self::Environment { name } => write!(f, "env {}", one_line(name)),
            Self::Flag { name } => write!(f, "flag {}", one_line(name)),
        }
    }
}

/// The text without control characters: a name must not be able to end a comment or colour a terminal.
pub(super) fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub origin: Origin,
    /// The dotted key; none where the file is not TOML.
    pub key: Option<String>,
    /// What is wrong; never holds a secret.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin.place())?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "; {}", self.hint) }
    }
}

/// Everything that is wrong with a configuration: one problem a line, in the order of the places.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ConfigError {
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_whatever_the_file_is_called() {
        let problem = Problem {
            origin: Origin::File { name: "a\nb\u{1b}[31m.toml".to_owned(), line: 3 },
            key: Some("policy.share".to_owned()),
            message: "is a text".to_owned(),
            hint: "write a number".to_owned(),
        };
        assert_eq!(problem.to_string(), r"a\nb\u{1b}[31m.toml:3: policy.share: is a text; write a number");
    }
}
