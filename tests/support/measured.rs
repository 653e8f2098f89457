//! The real binary, with the most memory that it held at any moment.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::workspace::{AS_OF, Ran, Workspace};

/// Checks the window that ends at [`AS_OF`] by `config.toml`, on two threads whatever the machine; the peak of its resident memory in MiB.
pub fn check(workspace: &Workspace, more: &[&str]) -> (Ran, u64) {
    let mut arguments = vec!["--config", "config.toml", "--as-of", AS_OF];
    arguments.extend(more);
    let output = |name: &str| File::create(workspace.path(name)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_drift-check"))
        .current_dir(workspace.path(""))
        .args(arguments)
        .env_clear()
        .env("RAYON_NUM_THREADS", "2")
        .env("TOKIO_WORKER_THREADS", "2")
        .stdin(Stdio::null())
        .stdout(output("stdout"))
        .stderr(output("stderr"))
        .spawn()
        .unwrap();
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    let status = loop {
        // The kernel keeps the peak; it is gone with the process.
        let status = std::fs::read_to_string(&status_file).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak_kib = peak.map_or(peak_kib, |peak| peak.trim().trim_end_matches(" kB").parse().unwrap());
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let text = |name: &str| std::fs::read_to_string(workspace.path(name)).unwrap();
    let ran = Ran { code: status.code().unwrap_or(-1), stdout: text("stdout"), stderr: text("stderr") };
    (ran, peak_kib / 1024)
}
