//! Whatever objects, jobs and folders are called: nothing is written but the reports in their folder of the bucket, the state store, and the
//! one copy that was asked for.

use std::os::unix::fs::symlink;

use crate::cloud_storage::Setup;
use crate::workspace::{AS_OF, Workspace, rows, stamp};

/// What lies around the bucket of a workspace, and what a run may add to it.
fn outside(workspace: &Workspace) -> Vec<String> {
    let mut files = workspace.files("");
    files.retain(|name| !name.starts_with("work/bucket/reports/") && !name.starts_with("work/state.db"));
    files
}

/// A workspace whose bucket has room above it, for what would get out.
fn nested() -> Workspace {
    let workspace = Workspace::new();
    let config = "[job]\nname = \"test\"\n[bucket]\nuri = \"file:work/bucket\"\n[store]\npath = \"work/state.db\"\n\
                  [logs]\ntimestamp = \"ts\"\n[features]\ninclude = [\"a\", \"b\"]\n";
    workspace.write("config.toml", config);
    workspace.write("work/bucket/reference/reference.csv", format!("a,b\n{}", rows(400, |_| String::new(), |a| a)));
    workspace
        .write("work/bucket/predictions/logs.csv", format!("ts,a,b\n{}", rows(300, |i| format!("{},", stamp(i)), |a| a + 0.5)));
    workspace
}

#[test]
fn no_name_of_a_job_or_a_folder_leads_out_of_the_bucket() {
    let workspace = nested();
    let before = outside(&workspace);
    for (variable, value) in [
        ("DRIFT_CHECK__JOB__NAME", "../../escaped"),
        ("DRIFT_CHECK__JOB__NAME", ".."),
        ("DRIFT_CHECK__JOB__NAME", "a/../../../escaped"),
        ("DRIFT_CHECK__JOB__NAME", "/tmp/escaped"),
        ("DRIFT_CHECK__REPORT__PREFIX", "../escaped/"),
        ("DRIFT_CHECK__REPORT__PREFIX", "reports/../../escaped/"),
        ("DRIFT_CHECK__REPORT__PREFIX", "/tmp/escaped/"),
        ("DRIFT_CHECK__REPORT__PREFIX", "./"),
        ("DRIFT_CHECK__LOGS__PREFIX", "../"),
        ("DRIFT_CHECK__REPORT__PATH", "work/bucket/"),
    ] {
        let ran = workspace.run_with(&["--config", "config.toml", "--as-of", AS_OF], &[(variable, value)]);
        assert_eq!(ran.code, 3, "{variable}={value}: {}", ran.stderr);
    }
    for output in ["../escaped.json", "/tmp/escaped.json", "reference/../../escaped.json", "reference/"] {
        let ran = workspace.run(&["--config", "config.toml", "profile", "--output", output]);
        assert_ne!(ran.code, 0, "{output}: {}", ran.stdout);
        assert!(ran.stderr.contains("no key of an object"), "{output}: {}", ran.stderr);
    }
    assert_eq!(outside(&workspace), before);
    assert!(!std::path::Path::new("/tmp/escaped").exists() && !std::path::Path::new("/tmp/escaped.json").exists());
}

#[test]
fn a_link_in_the_bucket_does_not_lead_a_report_out_of_it() {
    for link in ["work/bucket/reports", "work/bucket/reports/test", "work/bucket/reports/test/2026"] {
        let workspace = nested();
        workspace.write("elsewhere/latest.html", "theirs");
        std::fs::create_dir_all(workspace.path(link).parent().unwrap()).unwrap();
        symlink(workspace.path("elsewhere"), workspace.path(link)).unwrap();
        let ran = workspace.run(&["--config", "config.toml", "--as-of", AS_OF]);
        assert_eq!(ran.code, 5, "{link}: {}", ran.stderr);
        assert!(ran.stderr.contains("is a link that leads out of the bucket"), "{link}: {}", ran.stderr);
        assert_eq!(workspace.files("elsewhere"), ["latest.html"], "{link}");
        assert_eq!(std::fs::read(workspace.path("elsewhere/latest.html")).unwrap(), b"theirs");
    }
    // In the place of an object, a link is replaced, and what it led to stays as it is.
    let workspace = nested();
    workspace.write("elsewhere/theirs.html", "theirs");
    std::fs::create_dir_all(workspace.path("work/bucket/reports/test")).unwrap();
    symlink(workspace.path("elsewhere/theirs.html"), workspace.path("work/bucket/reports/test/latest.html")).unwrap();
    let ran = workspace.run(&["--config", "config.toml", "--as-of", AS_OF]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(std::fs::read(workspace.path("elsewhere/theirs.html")).unwrap(), b"theirs");
    assert!(
        std::fs::read_to_string(workspace.path("work/bucket/reports/test/latest.html")).unwrap().starts_with("<!doctype html>")
    );
}

#[test]
fn the_copy_goes_where_it_was_asked_for_and_nowhere_else() {
    let workspace = nested();
    let before = outside(&workspace);
    let arguments = ["--config", "config.toml", "--as-of", AS_OF];
    let ran = workspace.run_with(&arguments, &[("DRIFT_REPORT_PATH", "served/drift.html")]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let after = outside(&workspace);
    let new: Vec<&String> = after.iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(new, ["served/drift.html"]);
}

/// Names that a bucket in the cloud may hold, and that lead elsewhere on a file system.
const ODD: [&str; 8] = [
    "predictions/../../escaped.csv",
    "predictions//etc/passwd.csv",
    "predictions/..",
    "predictions/%2e%2e/%2e%2e/escaped.csv",
    "predictions/..\\..\\escaped.csv",
    "predictions/a?b=c#d.csv",
    "predictions/\u{202E}vsc.\r\n2.csv",
    "predictions/./x/.//y.csv",
];

#[test]
fn no_name_in_a_listing_of_the_cloud_makes_a_file_or_another_object() {
    let setup = Setup::cloud();
    setup.data(300, 0.5);
    let log = format!("ts,a,b\n{}", rows(40, |i| format!("{},", stamp(i)), |a| a + 0.5));
    for key in ODD {
        setup.put(key, &log);
    }
    let (files, objects) = (setup.workspace.files(""), setup.server().keys(""));
    let ran = setup.check(&["--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // Each is an object like any other, by its own name: those that end in a known format were read.
    let report = ran.json();
    let read: Vec<&str> =
        report["current"]["objects"].as_array().unwrap().iter().map(|object| object["uri"].as_str().unwrap()).collect();
    for key in ODD.iter().filter(|key| !key.ends_with("..")) {
        assert!(read.contains(&format!("gs://logs/{key}").as_str()), "{key:?} is not in {read:?}");
    }
    assert_eq!(report["current"]["rows"], 300 + 40 * 7);
    let mut files_after = setup.workspace.files("");
    files_after.retain(|name| !name.starts_with("state.db"));
    assert_eq!(files_after, files);
    let mut objects_after = setup.server().keys("");
    objects_after.retain(|key| !key.starts_with("reports/"));
    assert_eq!(objects_after, objects);
}
