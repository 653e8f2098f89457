//! How a run ends: the exit codes of the command line (PRODUCT.md, section 3), and the error that carries one.

use thiserror::Error;

use crate::bucket::BucketError;
use crate::config::ConfigError;
use crate::engine::EngineError;
use crate::store::StoreError;

/// What the process says by its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// The command ran to its end, whatever the verdict.
    Success = 0,
    Unexpected = 1,
    Usage = 2,
    Config = 3,
    /// No reference, nothing readable, or too much rejected.
    InputUnusable = 4,
    /// The bucket, the state store or the cluster failed.
    StorageFailed = 5,
    /// The report was written, but a message could not be delivered.
    Undelivered = 6,
    Drift = 10,
    Inconclusive = 11,
    /// Stopped by SIGTERM.
    Terminated = 143,
}

/// Why a command did not run to its end.
#[derive(Debug, Error)]
pub enum JobError {
    #[error("cannot read the configuration file `{path}`")]
    ConfigFile { path: String, source: std::io::Error },
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The message names what cannot be used, and the remedy.
    #[error("{0}")]
    Input(String),
    /// The logs of a window cannot be used: what is wrong with them, and the remedy.
    #[error("{0}")]
    Logs(String),
    /// The command line asks for something that there is not.
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(EngineError),
    #[error(
        "{uri} is of schema version {found}, newer than this drift-check (version {supported}), and was left as it is: use the newer \
         program, or another job.name or report.prefix"
    )]
    NewerReport { uri: String, found: u64, supported: u32 },
    #[error("cannot write {path}")]
    Write { path: String, source: std::io::Error },
    #[error("cannot encode the {what}")]
    Encode { what: &'static str, source: serde_json::Error },
}

impl From<EngineError> for JobError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Logs(reason) => Self::Logs(reason),
            error => Self::Engine(error),
        }
    }
}

impl JobError {
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::ConfigFile { .. } | Self::Config(_) => ExitCode::Config,
            Self::Bucket(BucketError::Uri(_)) => ExitCode::Config,
            Self::Engine(EngineError::Settings(_) | EngineError::NotBuilt) => ExitCode::Config,
            Self::Input(_) | Self::Logs(_) => ExitCode::InputUnusable,
            Self::Engine(_) | Self::Bucket(_) | Self::Store(_) | Self::NewerReport { .. } | Self::Write { .. } => {
                ExitCode::StorageFailed
            }
            Self::Usage(_) => ExitCode::Usage,
            Self::Encode { .. } => ExitCode::Unexpected,
        }
    }
}

/// An error with its causes on one line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
