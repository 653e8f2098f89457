//! The orchestrator: in which order things happen, and what becomes of a run that cannot go on.
//!
//! Sees every module and computes nothing itself. Results are returned, not printed; the clock, the environment and the run's id
//! come in as values.

mod backtest;
mod cache;
pub mod channels;
mod check;
mod cluster;
mod current;
mod deliver;
mod doctor;
mod explain;
mod failures;
mod findings;
mod history;
mod index;
mod input;
mod measure;
mod metrics;
mod moment;
mod notify;
mod profile;
mod publish;
mod readings;
mod reference;
mod relations;
mod sections;
mod shared;
mod show_config;
mod signals;
mod timings;
mod trend;
mod unusable;

use std::fs::File;
use std::io::{self, Read};

use chrono::{DateTime, Utc};

use crate::cli::{Command, Options};
use crate::config::{self, Config, Effective};
use crate::error::{ExitCode, JobError};
use crate::progress::Progress;

use metrics::Metrics;

/// Everything that a run is told from outside.
#[derive(Debug)]
pub struct Invocation {
    pub options: Options,
    /// The variables of the process.
    pub environment: Vec<(String, String)>,
    /// The moment the run started at.
    pub now: DateTime<Utc>,
    /// Tells the time when the run is over.
    pub clock: fn() -> DateTime<Utc>,
    pub run_id: String,
    /// What started the run, such as `manual`.
    pub trigger: String,
    /// What all attempts of one run have in common, where the platform tells.
    pub execution: Option<String>,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Where the log of the run can be read, where the platform tells.
    pub logs: Option<String>,
    /// Who runs, as metrics tell it: attributes by the names of OpenTelemetry.
    pub resource: Vec<(&'static str, String)>,
    pub terminal: Terminal,
    pub progress: Progress,
}

/// What stdout can show.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    pub color: bool,
    /// In columns.
    pub width: u16,
}

/// How a command ended, and what it has to say.
#[derive(Debug)]
pub struct Outcome {
    pub exit_code: ExitCode,
    pub output: String,
}

/// Runs a command to its end.
pub async fn run(command: Command, invocation: Invocation) -> Result<Outcome, JobError> {
    match command {
        Command::Config { schema: true } => return show_config::schema(),
        Command::Completions { shell } => return show_config::completions(shell),
        // What is wrong with the configuration is one of its lines.
        Command::Doctor { send_test } => return doctor::doctor(load_config(&invocation), &invocation, send_test).await,
        _ => {}
    }
    let (config, effective) = load_config(&invocation)?;
    match command {
        Command::Check => {
            let checked = Box::pin(check::check(&config, &effective, &invocation)).await;
            if let (Err(error), Some(metrics)) = (&checked, Metrics::of(&config, &invocation).await) {
                metrics.of_failure(error.exit_code()).await;
            }
            checked
        }
        Command::Profile { output } => profile::profile(&config, &effective, &invocation, output).await,
        Command::Backtest(wish) => Box::pin(backtest::backtest(&config, &effective, &invocation, *wish)).await,
        Command::History(asked) => history::history(&config, &invocation, asked).await,
        Command::Explain { feature } => explain::explain(&config, &effective, &invocation, &feature).await,
        Command::Config { .. } | Command::Completions { .. } | Command::Doctor { .. } => show_config::show(&effective, &invocation),
    }
}

/// A configuration holds what differs from the defaults, which have some ten thousand bytes.
const MOST_CONFIG_BYTES: u64 = 1 << 20;

/// The text of a configuration file.
fn read(path: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_CONFIG_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_CONFIG_BYTES {
        return Err(io::Error::other(format!(
            "it has more than {MOST_CONFIG_BYTES} bytes, and a configuration has a few thousand"
        )));
    }
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn load_config(invocation: &Invocation) -> Result<(Config, Effective), JobError> {
    let path = invocation.options.config.as_deref();
    let text = path.map(|path| read(path).map_err(|source| JobError::ConfigFile { path: path.to_owned(), source }));
    let text = text.transpose()?;
    let file = path.zip(text.as_deref());
    let environment = invocation.environment.iter().cloned();
    Ok(config::load(file, environment, &invocation.options.flags())?)
}
