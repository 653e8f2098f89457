//! Metrics on their way to a collector: what it takes to send them, and how that fails. What they say is the report's to know.

mod client;
mod headers;
mod otlp;

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::notify::Hidden;
use crate::retry::Transient;

pub use headers::parse as parse_headers;
pub use otlp::export;

/// A collector, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Collector {
    /// As configured, with or without `/v1/metrics` at its end.
    pub endpoint: String,
    pub headers: Vec<(String, Hidden)>,
    /// Whether Application Default Credentials of Google Cloud go with it.
    pub is_google: bool,
    /// Certificates, in PEM, that are trusted beside those of the system.
    pub authorities: Option<Vec<u8>>,
    /// How long one export may take with its retries.
    pub timeout: Duration,
}

/// Why metrics did not reach a collector. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{detail}{}", attempts(*.tries))]
pub struct ExportError {
    fault: Fault,
    detail: String,
    retry_after: Option<Duration>,
    tries: u32,
}

fn attempts(tries: u32) -> String {
    if tries > 1 { format!(" ({tries} attempts)") } else { String::new() }
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something of ours that no collector is to blame for.
    Settings,
    Status(u16),
    Timeout,
    /// No connection, or it broke.
    Connection,
    /// It cannot prove who it is, or cannot encrypt.
    Tls,
    /// It took the rest.
    Rejected,
}

impl ExportError {
    fn new(fault: Fault, detail: impl fmt::Display) -> Self {
        Self { fault, detail: detail.to_string(), retry_after: None, tries: 1 }
    }

    fn after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// What to look at.
    pub fn remedy(&self) -> &'static str {
        match self.fault {
            Fault::Settings => "check the settings under [metrics]",
            Fault::Status(401 | 403) => "check what metrics.otlp_headers refers to, and metrics.otlp_auth",
            Fault::Status(404 | 405) => "check metrics.otlp_endpoint: it is the address of OTLP over HTTP, mostly port 4318",
            Fault::Status(429 | 500..=599) => "look at the collector's own log",
            Fault::Status(_) | Fault::Rejected => "look at what the collector takes, and at its own log",
            Fault::Timeout | Fault::Connection => {
                "check that the collector runs, and that metrics.otlp_endpoint is its address for OTLP over HTTP, mostly port 4318"
            }
            Fault::Tls => "check its certificate, or name its authority in metrics.ca_file",
        }
    }
}

impl Transient for ExportError {
    /// As the specification of OTLP has it.
    fn retryable(&self) -> bool {
        matches!(self.fault, Fault::Status(429 | 502 | 503 | 504) | Fault::Timeout | Fault::Connection)
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    fn tried(self, times: u32) -> Self {
        Self { tries: times, ..self }
    }
}
