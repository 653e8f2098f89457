//! Arguments, logging, runtime; the outcome becomes the exit code. Clock, environment and the run's id enter the program here.

use std::io::{IsTerminal, Write};
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode as ProcessExitCode;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use drift_check::cli::{Cli, Command};
use drift_check::error::{ExitCode, JobError, with_causes};
use drift_check::job::{self, Invocation, Outcome, Terminal};
use drift_check::logging::{self, LogOptions};
use drift_check::platform::{self, Platform};
use drift_check::progress::Progress;
use drift_check::retry;
use indicatif::MultiProgress;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// How long work in progress may take to stop after SIGTERM; Cloud Run kills after ten seconds.
const GRACE: Duration = Duration::from_secs(2);

/// The width of a page where stdout is no terminal, in columns.
const PAGE_WIDTH: u16 = 100;

fn main() -> ProcessExitCode {
    if let Some(missing) = platform::missing_instructions() {
        eprintln!(
            "drift-check: this processor lacks {missing}: build it with RUSTFLAGS=\"-C target-cpu=x86-64\" cargo build --release"
        );
        return ProcessExitCode::from(ExitCode::Unexpected as u8);
    }
    // Two providers are compiled in by our dependencies, and TLS panics until one is chosen. Failing means: chosen already.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let Cli { options, command } = Cli::parse();
    let terminal = std::io::stderr().is_terminal();
    let no_color = options.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let bars = MultiProgress::new();
    let environment: Vec<(String, String)> =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
    let platform = Platform::of(&environment);
    // All attempts of one execution are one run.
    let run_id = platform.execution.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let fields = platform.log_fields(&run_id);
    let log = LogOptions { quiet: options.quiet, verbose: options.verbose, terminal, color: !no_color, fields };
    logging::install(log, bars.clone(), Utc::now);
    std::panic::set_hook(Box::new(log_panic));
    if platform.task_index > 0 {
        tracing::info!("task {} has nothing to do: one task checks the whole window", platform.task_index);
        return ProcessExitCode::SUCCESS;
    }
    let on_cloud_run = platform.trigger == "cloud-run";
    let invocation = Invocation {
        terminal: Terminal { color: !no_color && std::io::stdout().is_terminal(), width: width() },
        progress: Progress::new(bars, terminal && !options.quiet),
        options,
        environment,
        now: clock(),
        clock,
        run_id,
        trigger: platform.trigger.to_owned(),
        logs: platform.logs_link(),
        resource: platform.resource(),
        execution: platform.execution,
        attempt: platform.attempt,
    };
    ProcessExitCode::from(execute(command.unwrap_or(Command::Check), invocation, on_cloud_run) as u8)
}

/// The time of a run: that of the wall clock when it was asked for first, and from then on as much later as has passed. A wall clock that is
/// set while a run goes on makes nothing of it last for a day, end before it began, or fall due tomorrow.
fn clock() -> DateTime<Utc> {
    static BEGAN: LazyLock<(DateTime<Utc>, Instant)> = LazyLock::new(|| (Utc::now(), Instant::now()));
    let (wall, began) = *BEGAN;
    let passed = TimeDelta::from_std(began.elapsed()).ok();
    passed.and_then(|passed| wall.checked_add_signed(passed)).unwrap_or(wall)
}

/// A panic is a defect of ours: it goes where everything goes that the job says, as one line.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("of an unknown kind").split_whitespace().collect::<Vec<_>>().join(" ");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!("drift-check panicked: {what} ({place}); this is a defect of the program, please report it");
}

/// The exit code of the work, also when it panics. The hook has said why.
fn guarded(work: impl FnOnce() -> ExitCode) -> ExitCode {
    // Nothing that the work has touched is used afterwards.
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(ExitCode::Unexpected)
}

fn execute(command: Command, invocation: Invocation, on_cloud_run: bool) -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start: {error}");
            return ExitCode::Unexpected;
        }
    };
    let exit_code = guarded(|| run(&runtime, command, invocation, on_cloud_run));
    // Not left to the end of its life, which would wait for everything that is still being read.
    runtime.shutdown_timeout(GRACE);
    exit_code
}

fn run(runtime: &Runtime, command: Command, invocation: Invocation, on_cloud_run: bool) -> ExitCode {
    let ended = runtime.block_on(async {
        if on_cloud_run {
            tokio::spawn(outlast_pauses());
        }
        tokio::spawn(hear_resumptions());
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
    match ended {
        Some(Ok(outcome)) => print(&outcome),
        Some(Err(error)) => fail(&error),
        None => {
            tracing::warn!("stopped by SIGTERM; nothing partial was written, and a rerun completes");
            ExitCode::Terminated
        }
    }
}

/// Cloud Run sends SIGTSTP before it moves a container to another machine and SIGCONT after it: there is nothing to save, and requests that
/// broke meanwhile are tried again. Nowhere else: a person who presses Ctrl-Z wants the run to stop.
async fn outlast_pauses() {
    let Ok(mut pauses) = signal(SignalKind::from_raw(SIGTSTP)) else { return };
    while pauses.recv().await.is_some() {
        tracing::info!("the container is about to be moved; the run goes on afterwards");
    }
}

/// A stopped process does not see time pass: whoever was waiting has not waited in vain yet.
async fn hear_resumptions() {
    let Ok(mut resumptions) = signal(SignalKind::from_raw(SIGCONT)) else { return };
    while resumptions.recv().await.is_some() {
        retry::resumed();
        tracing::debug!("the process goes on after it was stopped");
    }
}

/// On Linux, the only system that sends it here.
const SIGTSTP: i32 = 20;
#[cfg(target_os = "linux")]
const SIGCONT: i32 = 18;
#[cfg(not(target_os = "linux"))]
const SIGCONT: i32 = 19;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_line_of_json_and_exit_code_1() {
        const CHILD: &str = "DRIFT_CHECK_TEST_PANICS";
        if std::env::var_os(CHILD).is_some() {
            let fields = serde_json::Map::new();
            let log = LogOptions { quiet: true, verbose: 0, terminal: false, color: false, fields };
            logging::install(log, MultiProgress::new(), Utc::now);
            std::panic::set_hook(Box::new(log_panic));
            let runtime = Runtime::new().unwrap();
            // As in a bucket or a store: on another thread, and passed on to this one.
            let blocking = async { tokio::task::spawn_blocking(|| panic!("on two\nlines")).await };
            let code = guarded(|| std::panic::resume_unwind(runtime.block_on(blocking).unwrap_err().into_panic()));
            std::process::exit(code as i32);
        }
        let name = "tests::a_panic_is_one_line_of_json_and_exit_code_1";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let ran = child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert_eq!((ran.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
        let line: serde_json::Value = serde_json::from_str(&stderr).unwrap();
        let message = line["message"].as_str().unwrap();
        assert!(line["severity"] == "ERROR" && message.contains("on two lines (src/main.rs:"), "{stderr}");
    }
}
