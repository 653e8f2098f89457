//! Cloud Run's contract for jobs: retries, further tasks, signals, log lines.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::workspace::{Workspace, text};

const EXECUTION: [(&str, &str); 3] =
    [("CLOUD_RUN_JOB", "drift-check"), ("CLOUD_RUN_EXECUTION", "drift-check-x7k2p"), ("GCP_PROJECT_ID", "demo-project")];

/// A workspace whose logs have rows up to this moment, so that the window that ends now holds them.
fn recent() -> Workspace {
    let workspace = Workspace::new();
    workspace.config("").reference();
    let now = chrono::Utc::now();
    let stamp = |i: u32| (now - chrono::TimeDelta::minutes(i64::from(i) + 1)).to_rfc3339();
    let lines = crate::workspace::rows(400, |i| format!("{},", stamp(i)), |a| a);
    workspace.write("bucket/predictions/logs.csv", format!("ts,a,b\n{lines}"));
    workspace
}

fn attempt(workspace: &Workspace, number: &str, more: &[&str]) -> crate::workspace::Ran {
    let mut environment = EXECUTION.to_vec();
    environment.push(("CLOUD_RUN_TASK_ATTEMPT", number));
    let mut arguments = vec!["--config", "config.toml", "--format", "json"];
    arguments.extend(more);
    workspace.run_with(&arguments, &environment)
}

#[test]
fn a_retry_is_the_same_run_with_the_same_window_and_the_same_report() {
    let workspace = recent();
    let first = attempt(&workspace, "0", &[]).json();
    // The window ends at a whole second: a retry a second later would have another.
    std::thread::sleep(Duration::from_millis(1_100));
    let second = attempt(&workspace, "1", &[]).json();
    assert_eq!(first["window"], second["window"]);
    assert_eq!((&first["run"]["id"], &second["run"]["id"]), (&"drift-check-x7k2p".into(), &"drift-check-x7k2p".into()));
    assert_eq!((&first["run"]["attempt"], &second["run"]["attempt"]), (&1.into(), &2.into()));
    assert_eq!(
        (text(&first["run"]["trigger"]), text(&second["signals"][0]["transition"])),
        ("cloud-run".to_owned(), "none".to_owned())
    );
    let reports = workspace.files("bucket/reports").into_iter().filter(|name| name.ends_with("/report.json"));
    assert_eq!(reports.count(), 1);
    // Another execution is another run.
    let other = workspace.run_with(
        &["--config", "config.toml", "--format", "json"],
        &[("CLOUD_RUN_JOB", "drift-check"), ("CLOUD_RUN_EXECUTION", "drift-check-zzzzz")],
    );
    assert_ne!(other.json()["window"], first["window"]);
}

#[test]
fn a_dry_run_on_cloud_run_leaves_nothing_behind() {
    let workspace = recent();
    assert_eq!(attempt(&workspace, "0", &["--dry-run"]).code, 0);
    assert_eq!(workspace.files("bucket/reports"), Vec::<String>::new());
}

#[test]
fn further_tasks_end_at_once_and_say_so() {
    let workspace = recent();
    let ran = workspace.run_with(&["--config", "config.toml"], &[("CLOUD_RUN_JOB", "drift-check"), ("CLOUD_RUN_TASK_INDEX", "1")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert!(ran.stderr.contains("task 1 has nothing to do"), "{}", ran.stderr);
    assert_eq!(workspace.files("bucket/reports"), Vec::<String>::new());
}

#[test]
fn every_log_line_is_filed_under_its_run() {
    let workspace = recent();
    let ran = attempt(&workspace, "1", &[]);
    let lines: Vec<Value> = ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!lines.is_empty());
    for line in &lines {
        let labels = &line["logging.googleapis.com/labels"];
        assert_eq!((&labels["execution"], &labels["attempt"]), (&"drift-check-x7k2p".into(), &"2".into()), "{line}");
        assert!(text(&line["logging.googleapis.com/trace"]).starts_with("projects/demo-project/traces/"), "{line}");
        assert!(line["severity"].is_string() && line["time"].is_string() && line["message"].is_string(), "{line}");
    }
}

/// A run that reads its reference from a pipe which nobody writes to is a run that hangs.
fn hanging(environment: &[(&str, &str)]) -> (Workspace, std::process::Child) {
    let workspace = recent();
    let pipe = workspace.path("bucket/reference/more.csv");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = Command::new(env!("CARGO_BIN_EXE_drift-check"))
        .current_dir(workspace.path(""))
        .args(["--config", "config.toml"])
        .env_clear()
        .envs(environment.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    (workspace, child)
}

fn send(signal: &str, child: &std::process::Child) {
    assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_termination_ends_the_run_within_seconds_and_leaves_nothing_partial() {
    let (workspace, mut child) = hanging(&EXECUTION);
    let sent = Instant::now();
    send("TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(sent.elapsed() < Duration::from_secs(10));
    let reports = workspace.files("bucket/reports");
    assert!(!reports.iter().any(|name| name.contains("report.") || name.contains("latest.")), "{reports:?}");
}

#[test]
fn a_pause_is_outlasted() {
    let (_workspace, mut child) = hanging(&EXECUTION);
    send("TSTP", &child);
    std::thread::sleep(Duration::from_millis(200));
    send("CONT", &child);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(child.try_wait().unwrap(), None, "it runs on");
    send("TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}
