//! The command line: what can be said, nothing else. Holds no defaults; those are in `config/default.toml`.

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use crate::config::Flag;
use crate::config::known_drift::{MOMENT, moment_of};

pub mod completions;
mod examples;

/// Batch drift detection for tabular models: a verdict that can be believed, and a report that explains it.
#[derive(Debug, Parser)]
#[command(
    name = "drift-check",
    version,
    after_help = examples::PROGRAM
)]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do; `check` when nothing is said.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Compare the window with the reference, write the report and move the signals on (the default)
    #[command(after_help = examples::CHECK)]
    Check,
    /// Build the reference profile from the raw reference and put it in the bucket
    #[command(after_help = examples::PROFILE)]
    Profile {
        /// Where in the bucket the profile is put [default: profile.json in the reference's folder]
        #[arg(long, value_name = "KEY")]
        output: Option<String>,
    },
    /// Replay the rule over past windows: how often it would have fired, and how often wrongly; writes and sends nothing
    #[command(after_help = examples::BACKTEST)]
    Backtest(Box<BacktestOptions>),
    /// Show past runs, signals, messages, silences and labels; silence a signal, label a stretch of time, promote a signal from shadow
    #[command(after_help = examples::HISTORY)]
    History(HistoryOptions),
    /// Check configuration, clock, identity, bucket, reference, logs, store and channels, one line each
    #[command(after_help = examples::DOCTOR)]
    Doctor {
        /// Send one test message to every channel
        #[arg(long)]
        send_test: bool,
    },
    /// Tell everything about one feature in the last run: what moved, since when, and in which class, hour or cluster
    #[command(after_help = examples::EXPLAIN)]
    Explain {
        /// The feature, as the report names it
        #[arg(value_name = "FEATURE")]
        feature: String,
    },
    /// Show the effective configuration and where each value came from
    #[command(after_help = examples::CONFIG)]
    Config {
        /// Print the JSON Schema of the configuration file instead
        #[arg(long)]
        schema: bool,
    },
    /// Print a completion script for a shell, or the man page
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell; `man` for the man page
        #[arg(value_name = "SHELL")]
        shell: completions::Kind,
    },
}

/// What is to be replayed. Windows lie in `[from, to)`; a date alone is its midnight in UTC.
#[derive(Clone, Debug, Args)]
pub struct BacktestOptions {
    /// The start of the first window: a date or a moment in RFC 3339, on the hour
    #[arg(long, value_name = "DATE", value_parser = date_or_moment)]
    pub from: DateTime<Utc>,
    /// Where the last window ends, at the latest
    #[arg(long, value_name = "DATE", value_parser = date_or_moment)]
    pub to: DateTime<Utc>,
    /// From one window to the next, in whole hours, such as 6h [default: the length of the window]
    #[arg(long, value_name = "LENGTH")]
    pub every: Option<String>,
    /// When the data are known to have drifted, or not to: a TOML or CSV file of intervals
    #[arg(long, value_name = "FILE")]
    pub known_drift: Option<String>,
    /// Put a drift into the logs and measure how long it takes to be found: FEATURE:+0.5sd, FEATURE:+0.1, FEATURE:*1.2
    #[arg(long, value_name = "FEATURE:CHANGE")]
    pub inject: Vec<String>,
    /// The moment from which on it is in them [default: the hour in the middle of the range]
    #[arg(long, value_name = "DATE", value_parser = date_or_moment, requires = "inject")]
    pub inject_at: Option<DateTime<Utc>>,
    /// Write the backtest with its pictures to a file on this machine as well
    #[arg(long, value_name = "FILE.html")]
    pub output: Option<String>,
}

/// What is asked of the history: to be shown when nothing is said.
#[derive(Clone, Debug, Default, Args)]
#[command(group(ArgGroup::new("act").args(["silence", "unsilence", "label", "unlabel", "readiness", "promote"])))]
#[command(group(ArgGroup::new("labelling").args(["label", "unlabel"])))]
pub struct HistoryOptions {
    /// Tell nobody of a signal for a length of time, such as `--silence data-drift 24h`
    #[arg(long, num_args = 2, value_names = ["SIGNAL", "LENGTH"], requires = "reason")]
    pub silence: Option<Vec<String>>,
    /// End the silence of a signal
    #[arg(long, value_name = "SIGNAL")]
    pub unsilence: Option<String>,
    /// Say what there was from `--from` on and before `--to`: `drift` or `no-drift`
    #[arg(long, value_name = "TRUTH", requires_all = ["from", "to", "reason"])]
    pub label: Option<Said>,
    /// Take the label of just this range, and this feature, back
    #[arg(long, requires_all = ["from", "to"])]
    pub unlabel: bool,
    /// The first moment of a label, in RFC 3339
    #[arg(long, value_name = "RFC3339", value_parser = moment, requires = "labelling")]
    pub from: Option<DateTime<Utc>>,
    /// The first moment after a label, in RFC 3339
    #[arg(long, value_name = "RFC3339", value_parser = moment, requires = "labelling")]
    pub to: Option<DateTime<Utc>>,
    /// The feature that a label is about [default: the data set as a whole]; alone: show the course of the feature over past runs
    #[arg(long, value_name = "NAME", conflicts_with_all = ["silence", "unsilence", "readiness", "promote"])]
    pub feature: Option<String>,
    /// Say how far each signal in shadow is from being fit to notify
    #[arg(long)]
    pub readiness: bool,
    /// Print the change of the configuration that makes a signal notify, once enough windows show that it is fit to
    #[arg(long, value_name = "SIGNAL")]
    pub promote: Option<String>,
    /// Promote all the same; the reason is recorded
    #[arg(long, requires_all = ["promote", "reason"])]
    pub force: bool,
    /// Why; it is recorded, and shown in the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// What a label says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Said {
    Drift,
    NoDrift,
}

#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<String>,
    /// The length of the window: 30m, 6h, 24h, 7d
    #[arg(long, global = true, value_name = "LENGTH")]
    pub window: Option<String>,
    /// The moment at which the window ends, in RFC 3339 [default: now]
    #[arg(long, global = true, value_name = "RFC3339", value_parser = moment)]
    pub as_of: Option<DateTime<Utc>>,
    /// The bucket: file:FOLDER or gs://BUCKET
    #[arg(long, global = true, value_name = "URI")]
    pub bucket: Option<String>,
    /// The reference: a file, a folder or a built profile, here or in the bucket
    #[arg(long, global = true, value_name = "PATH")]
    pub reference: Option<String>,
    /// The logs: a file or a folder, instead of the bucket's
    #[arg(long, global = true, value_name = "PATH")]
    pub current: Option<String>,
    /// What is printed
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// The verdict that makes the exit code non-zero: 10 for drift, 11 for inconclusive (which includes drift)
    #[arg(long, global = true, value_name = "VERDICT", default_value = "never")]
    pub fail_on: FailOn,
    /// Write nothing and send nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Send nothing
    #[arg(long, global = true)]
    pub no_notify: bool,
    /// Say where the time went
    #[arg(long, global = true)]
    pub timings: bool,
    /// Only errors on stderr, no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// More on stderr, and every feature in the table; twice for details
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// No colours (also with NO_COLOR)
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// What is printed on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Markdown,
}

/// From which verdict on the exit code is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Drift,
    Inconclusive,
    Never,
}

impl Options {
    /// The flags that set a key of the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        let settings = [
            ("window.length", "--window", &self.window),
            ("bucket.uri", "--bucket", &self.bucket),
            ("reference.path", "--reference", &self.reference),
            ("logs.path", "--current", &self.current),
        ];
        let set = settings.into_iter().filter_map(|(path, name, value)| {
            let value = value.clone()?;
            Some(Flag { path: path.to_owned(), value, name: name.to_owned() })
        });
        set.collect()
    }
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let parsed = DateTime::parse_from_rfc3339(text);
    parsed.map(|moment| moment.to_utc()).map_err(|_| "write date, time and offset, such as 2026-01-31T18:00:00Z".to_owned())
}

fn date_or_moment(text: &str) -> Result<DateTime<Utc>, String> {
    moment_of(text).ok_or_else(|| MOMENT.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
