//! The job needs no right: it runs as somebody without a home, without a capability, on a file system that it cannot write to.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::storage_server::StorageServer;
use crate::workspace::{AS_OF, Workspace, rows, stamp};

/// Makes everything read-only, makes sure of it, and goes on as it is told.
const READ_ONLY: &str = "
mount --make-rprivate /
# Every mount by itself: one over the root would leave those below it as they are.
while read -r _ _ _ _ at _; do mount -o remount,bind,ro \"$at\" 2>/dev/null; done </proc/self/mountinfo
for folder in / /tmp /var/tmp /dev/shm /run; do
    if touch \"$folder/writable\" 2>/dev/null; then echo \"$folder is writable\" >&2; exit 99; fi
done
cd / && exec \"$@\"
";

/// In a namespace of mounts of its own, which takes root; the process itself is not.
fn unshare() -> Command {
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = Command::new(if is_root { "unshare" } else { "sudo" });
    command.args(if is_root { &[][..] } else { &["-n", "unshare"] }).args(["--mount", "--"]);
    command
}

/// Runs the binary as the container does, and more strictly: as the user 65532, without capabilities or a way to get any, with nothing in
/// its environment but what is given, where the whole file system is read-only.
fn confined(binary: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = unshare();
    command.args(["sh", "-c", READ_ONLY, "sh", "setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"]);
    command.args(["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "env", "--ignore-environment"]);
    command.args(environment.iter().map(|(name, value)| format!("{name}={value}")));
    command.arg(binary).args(arguments).output().unwrap()
}

/// A copy of the binary and the configuration of the image where anybody may read them, as in an image.
fn image(folder: &Path) -> PathBuf {
    let binary = folder.join("drift-check");
    std::fs::copy(env!("CARGO_BIN_EXE_drift-check"), &binary).unwrap();
    for path in [folder, &binary] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    binary
}

#[test]
fn a_run_needs_no_capability_no_home_and_no_place_to_write() {
    let test = "a_run_needs_no_capability_no_home_and_no_place_to_write";
    if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "{test} needs root, or sudo without a password");
        eprintln!("NOT RUN: {test} needs root, or sudo without a password");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let binary = image(folder.path());
    let server = StorageServer::start();
    server.put("reference/reference.csv", format!("a,b\n{}", rows(400, |_| String::new(), |a| a)));
    server.put("predictions/logs.csv", format!("ts,a,b\n{}", rows(300, |i| format!("{},", stamp(i)), |a| a + 0.5)));
    let endpoint = server.endpoint();
    let mut environment = vec![
        ("STORAGE_EMULATOR_HOST", endpoint.as_str()),
        ("DRIFT_CHECK__BUCKET__URI", "gs://logs"),
        ("DRIFT_CHECK__LOGS__TIMESTAMP", "ts"),
        ("DRIFT_CHECK__FEATURES__INCLUDE", "a,b"),
        ("DRIFT_CHECK__JOB__NAME", "test"),
    ];
    let dry = confined(&binary, &["--as-of", AS_OF, "--dry-run"], &environment);
    assert_eq!(dry.status.code(), Some(0), "{}", String::from_utf8_lossy(&dry.stderr));
    assert!(server.keys("reports/").is_empty());
    // A real run: the report goes to the bucket, and what cannot be kept here is said, not written elsewhere.
    let ran = confined(&binary, &["--as-of", AS_OF, "--format", "json"], &environment);
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("The state store failed") && !stderr.contains("panicked"), "{stderr}");
    assert!(server.get("reports/test/latest.html").is_some(), "{stderr}");
    // With a store that is not a file, nothing is missing.
    let Some(firestore) = crate::emulator::address(test) else { return };
    environment.extend([("FIRESTORE_EMULATOR_HOST", firestore), ("USE_FIRESTORE", "1"), ("GCP_PROJECT_ID", "confined")]);
    let ran = confined(&binary, &["--as-of", AS_OF, "--format", "json"], &environment);
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn what_the_job_writes_nobody_else_can_change() {
    let workspace = Workspace::new();
    workspace.config("").reference().logs(300, 0.5);
    assert_eq!(workspace.check(&[]).code, 0);
    for name in workspace.files("").iter().filter(|name| name.contains("reports/") || name.starts_with("state.db")) {
        let mode = std::fs::metadata(workspace.path(name)).unwrap().mode();
        assert_eq!(mode & 0o022, 0, "{name}: {mode:o}");
    }
}
