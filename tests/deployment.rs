//! The scripts that deploy and operate the job, run with stubs for gcloud, gh, docker and terraform.

/// Their own tests, with this binary.
#[test]
fn the_scripts_of_the_deployment_do_what_they_say() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/deployment/run");
    let ran = std::process::Command::new(script).env("DRIFT_CHECK_BINARY", env!("CARGO_BIN_EXE_drift-check")).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
}
