//! Arguments, logging, runtime; the outcome becomes the exit code. Clock, environment and the run's id enter the program here.

use std::io::{IsTerminal, Write};
use std::process::ExitCode as ProcessExitCode;
use std::time::Duration;

use chrono::Utc;
use clap::Parser;
use drift_check::cli::{Cli, Command};
use drift_check::error::{ExitCode, JobError, with_causes};
use drift_check::job::{self, Invocation, Outcome, Terminal};
use drift_check::logging::{self, LogOptions};
use drift_check::progress::Progress;
use indicatif::MultiProgress;
use tokio::signal::unix::{SignalKind, signal};

/// How long work in progress may take to stop after SIGTERM; Cloud Run kills after ten seconds.
const GRACE: Duration = Duration::from_secs(2);

/// The width of a page where stdout is no terminal, in columns.
const PAGE_WIDTH: u16 = 100;

fn main() -> ProcessExitCode {
    // Two TLS providers are linked; without this, the first TLS connection would not know which to take. It fails only if one is set.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let Cli { options, command } = Cli::parse();
    let terminal = std::io::stderr().is_terminal();
    let no_color = options.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let bars = MultiProgress::new();
    let log = LogOptions { quiet: options.quiet, verbose: options.verbose, terminal, color: !no_color };
    logging::install(log, bars.clone(), Utc::now);
    let now = Utc::now();
    let invocation = Invocation {
        terminal: Terminal { color: !no_color && std::io::stdout().is_terminal(), width: width() },
        progress: Progress::new(bars, terminal && !options.quiet),
        options,
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        now,
        clock: Utc::now,
        run_id: uuid::Uuid::now_v7().to_string(),
        trigger: trigger().to_owned(),
        attempt: attempt(),
    };
    ProcessExitCode::from(execute(command.unwrap_or(Command::Check), invocation) as u8)
}

fn execute(command: Command, invocation: Invocation) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start: {error}");
            return ExitCode::Unexpected;
        }
    };
    let ended = runtime.block_on(async {
        let terminated = async {
            match signal(SignalKind::terminate()) {
                Ok(mut stream) => drop(stream.recv().await),
                // Without a handler the signal ends the process by itself.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            outcome = job::run(command, invocation) => Some(outcome),
            () = terminated => None,
        }
    });
    let exit_code = match ended {
        Some(Ok(outcome)) => print(&outcome),
        Some(Err(error)) => fail(&error),
        None => {
            tracing::warn!("stopped by SIGTERM; nothing partial was written, and a rerun completes");
            ExitCode::Terminated
        }
    };
    runtime.shutdown_timeout(GRACE);
    exit_code
}

fn print(outcome: &Outcome) -> ExitCode {
    match std::io::stdout().write_all(outcome.output.as_bytes()) {
        // A reader that closed the pipe (`| head`) has seen enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            tracing::error!("cannot print the result: {error}");
            ExitCode::Unexpected
        }
        _ => outcome.exit_code,
    }
}

fn fail(error: &JobError) -> ExitCode {
    tracing::error!("{}", with_causes(error));
    error.exit_code()
}

/// The width of stdout in columns.
fn width() -> u16 {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(PAGE_WIDTH, |(width, _)| width.0)
}

/// What started the run, as the platforms tell it.
fn trigger() -> &'static str {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match () {
        () if set("CLOUD_RUN_JOB") => "cloud-run",
        () if set("GITHUB_ACTIONS") => "github-actions",
        () => "manual",
    }
}

/// Cloud Run counts attempts from 0, people from 1.
fn attempt() -> u32 {
    let retries = std::env::var("CLOUD_RUN_TASK_ATTEMPT").ok().and_then(|text| text.parse::<u32>().ok());
    retries.map_or(1, |retries| retries.saturating_add(1))
}
