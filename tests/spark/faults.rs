//! What goes wrong between a check and its cluster: the right exit code, no verdict, and nothing that goes on.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::logs::{self, Frame, simulated_rows};
use super::middle::{Middle, encrypted};
use super::{by_spark, comparable, shared};
use crate::authority::{Authority, Leaf};
use crate::simulation::population::{Drift, Population};
use crate::spark_server::SparkServer;
use crate::workspace::{Ran, Workspace};

/// Rows that a cluster on this machine is busy with for some seconds.
const MANY_ROWS: usize = 400_000;

/// Runs a check on a cluster.
pub(super) fn check(workspace: &Workspace, remote: &str, more: &[(&str, &str)]) -> Ran {
    let spark = by_spark(remote);
    let mut environment: Vec<(&str, &str)> = spark.iter().map(|(key, value)| (*key, value.as_str())).collect();
    environment.push(("DRIFT_CHECK__REPORT__BACKFILL_WINDOWS", "0"));
    environment.extend(more);
    workspace.run_with(&["--config", "config.toml", "--as-of", logs::AS_OF, "--format", "json"], &environment)
}

fn small() -> Workspace {
    let workspace = Workspace::new();
    simulated_rows(&workspace, &Population::PLAIN, Drift::None, "cluster = \"study\"", 100);
    workspace
}

/// The check failed with this code, said this, and wrote nothing.
fn assert_refused(workspace: &Workspace, ran: &Ran, code: i32, said: &[&str]) {
    assert_eq!(ran.code, code, "{}", ran.stderr);
    for words in said {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert!(ran.stdout.is_empty() && workspace.files("bucket/reports").is_empty(), "{}", ran.stdout);
}

#[test]
fn a_server_that_is_not_there_is_told_of_soon() {
    let workspace = small();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let remote = format!("sc://127.0.0.1:{port}");
    let ran = check(&workspace, &remote, &[("DRIFT_CHECK__ENGINE__TIMEOUT", "3s")]);
    assert_refused(&workspace, &ran, 5, &["cannot reach the Spark Connect server at sc://127.0.0.1", "no answer within 3 s"]);
}

#[test]
fn a_server_that_is_none_is_told_of() {
    let workspace = small();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = format!("sc://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = (&stream).write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let ran = check(&workspace, &remote, &[("DRIFT_CHECK__ENGINE__TIMEOUT", "3s")]);
    assert_refused(&workspace, &ran, 5, &[&remote]);
}

#[test]
fn logs_that_only_we_can_see_or_that_differ_are_refused() {
    let remote = shared().remote();
    let workspace = small();
    let ran = check(&workspace, &remote, &[("DRIFT_CHECK__LOGS__PREFIX", "nowhere/")]);
    assert_refused(&workspace, &ran, 4, &["nowhere", "as it sees it", "PATH_NOT_FOUND", "check logs.path"]);
    let ran = check(&workspace, &remote, &[("DRIFT_CHECK__LOGS__TABLE", "no.such")]);
    assert_refused(&workspace, &ran, 4, &["cannot read no.such", "check logs.table"]);

    let ran = check(&workspace, &remote, &[("DRIFT_CHECK__LOGS__TIMESTAMP", "when")]);
    assert_refused(&workspace, &ran, 4, &["no column `when`", "correct logs.timestamp", "moment, study, f01"]);
    let ran = check(&workspace, &remote, &[("DRIFT_CHECK__LOGS__TIMESTAMP", "study"), ("DRIFT_CHECK__LOGS__CLUSTER", "")]);
    assert_refused(&workspace, &ran, 4, &["`study` (logs.timestamp) holds text", "make a view that casts it"]);

    let other = Frame::new(1).integers("moment", [Some(logs::END_US - 1)]).texts("f01", [Some("1".to_owned())]);
    workspace.write("bucket/predictions/other.parquet", other.parquet());
    let ran = check(&workspace, &remote, &[]);
    assert_refused(&workspace, &ran, 4, &["cannot read file://", "MERGE_SCHEMA", "f01"]);
}

#[test]
fn a_file_that_breaks_off_is_never_a_verdict() {
    let workspace = small();
    let bytes = std::fs::read(workspace.path("bucket/predictions/window.parquet")).unwrap();
    workspace.write("bucket/predictions/broken-off.parquet", &bytes[..bytes.len() / 2]);
    let ran = check(&workspace, &shared().remote(), &[]);
    // Spark does not always say which file it was.
    assert!([4, 5].contains(&ran.code), "{} {}", ran.code, ran.stderr);
    assert!(ran.stdout.is_empty() && workspace.files("bucket/reports").is_empty(), "{}", ran.stdout);
}

const TOKEN: &str = "t0ken-of-the/tests=;%";

/// A server that asks for the token.
fn guarded() -> &'static SparkServer {
    static GUARDED: OnceLock<SparkServer> = OnceLock::new();
    GUARDED.get_or_init(|| SparkServer::start("local[1]", &[("spark.connect.authenticate.token", TOKEN)]))
}

#[test]
fn a_token_lets_in_and_is_never_shown() {
    let server = guarded();
    let workspace = small();
    let with = |token: &str| {
        check(&workspace, &server.remote(), &[("DRIFT_CHECK__ENGINE__TOKEN", "env:SPARK_TOKEN"), ("SPARK_TOKEN", token)])
    };
    for wrong in [check(&workspace, &server.remote(), &[]), with("another")] {
        assert_refused(&workspace, &wrong, 5, &["does not let us in", "check engine.token"]);
    }
    let ran = check(&workspace, &server.remote(), &[("DRIFT_CHECK__ENGINE__TOKEN", "env:SPARK_TOKEN")]);
    assert_refused(&workspace, &ran, 3, &["engine.token", "SPARK_TOKEN"]);
    let right = with(TOKEN);
    assert_eq!(right.code, 0, "{}", right.stderr);
    assert!(!right.stderr.contains("t0ken") && !right.stdout.contains("t0ken"));
}

#[test]
fn what_a_configuration_cannot_mean_is_refused() {
    let workspace = small();
    for (more, said) in [
        (&[("DRIFT_CHECK__ENGINE__REMOTE", "")][..], "engine.remote: is not set"),
        (&[("DRIFT_CHECK__ENGINE__REMOTE", "http://spark")], "does not begin with sc://"),
        (&[("DRIFT_CHECK__ENGINE__REMOTE", "sc://spark/;token=x")], "holds a token"),
        (
            &[("DRIFT_CHECK__ENGINE__REMOTE", "sc://spark:1"), ("DRIFT_CHECK__ENGINE__TOKEN", "env:T")],
            "without encryption, and the token is a secret",
        ),
        (&[("DRIFT_CHECK__LOGS__TABLE", "a.b"), ("DRIFT_CHECK__LOGS__PATH", "c")], "are both set"),
        (&[("DRIFT_CHECK__LOGS__TABLE", "a.b"), ("DRIFT_CHECK__ENGINE__KIND", "local")], "tables are read by a cluster"),
    ] {
        let ran = check(&workspace, "sc://spark", more);
        assert_refused(&workspace, &ran, 3, &[said]);
    }
}

/// A workspace with many rows.
fn many() -> Workspace {
    let workspace = Workspace::new();
    simulated_rows(
        &workspace,
        &Population { study_rows: 10, study_share: 0.5, ..Population::PLAIN },
        Drift::Shift(0.3),
        "cluster = \"study\"",
        MANY_ROWS,
    );
    workspace
}

/// What is reported where this machine counts.
fn local_report(workspace: &Workspace) -> Value {
    let arguments = ["--config", "config.toml", "--as-of", logs::AS_OF, "--format", "json", "--dry-run"];
    let ran = workspace.run_with(&arguments, &[("DRIFT_CHECK__REPORT__BACKFILL_WINDOWS", "0")]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    comparable(ran.json())
}

/// A check that is running.
fn begin(workspace: &Workspace, remote: &str) -> Child {
    begin_with(workspace, remote, &[])
}

fn begin_with(workspace: &Workspace, remote: &str, more: &[(&str, &str)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drift-check"));
    command.current_dir(workspace.path("")).env_clear();
    for (key, value) in by_spark(remote) {
        command.env(key, value);
    }
    command.env("DRIFT_CHECK__REPORT__BACKFILL_WINDOWS", "0").envs(more.iter().copied());
    command.args(["--config", "config.toml", "--as-of", logs::AS_OF, "--format", "json", "--dry-run"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> (i32, String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// The check ends with the code of a cluster that failed, says this, and gives no report.
fn assert_broken_off(child: Child, said: &[&str]) {
    let (code, stdout, stderr) = end(child);
    assert!(code == 5 && stdout.is_empty(), "{code} {stdout} {stderr}");
    for words in said {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_mins(2), "waited for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes of a server's executors.
fn executors(server: &SparkServer) -> Vec<u32> {
    processes(server, "CoarseGrainedExecutorBackend")
}

/// The processes of a server whose command line has these words.
fn processes(server: &SparkServer, words: &str) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_asked_for = |process: &u32| {
        let read =
            |name: &str| std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join(name)).unwrap_or_default();
        // After the name in parentheses: state, parent, group.
        let group = read("stat").rsplit(") ").next().and_then(|rest| rest.split(' ').nth(2)?.parse::<u32>().ok());
        group == Some(server.group()) && read("cmdline").contains(words)
    };
    numbers.filter(is_asked_for).collect()
}

/// What a server's own interface answers to a request, with a form where it has one.
fn interface(ui: u16, request: &str, form: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", ui)).unwrap();
    let length = form.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{form}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// The numbers of the jobs that a server's own interface calls running.
fn running(ui: u16) -> Vec<u64> {
    let ask = |path: &str| -> Value {
        let text = interface(ui, &format!("GET /api/v1/{path}"), "");
        let body = text.split_once("\r\n\r\n").unwrap().1;
        let (start, end) = (body.find('[').unwrap(), body.rfind(']').unwrap());
        // Chunks of a chunked answer are cut out with their line ends.
        let body: String = body[start..=end].lines().filter(|line| !line.bytes().all(|byte| byte.is_ascii_hexdigit())).collect();
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
    };
    let applications = ask("applications");
    let id = applications[0]["id"].as_str().unwrap().to_owned();
    let jobs = ask(&format!("applications/{id}/jobs?status=running"));
    jobs.as_array().unwrap().iter().map(|job| job["jobId"].as_u64().unwrap()).collect()
}

/// A server of its own, and the port of its interface.
fn observed(master: &str) -> (SparkServer, u16) {
    let ui = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = SparkServer::start(master, &[("spark.ui.enabled", "true"), ("spark.ui.port", &ui.to_string())]);
    (server, ui)
}

#[test]
fn an_executor_that_is_killed_changes_nothing() {
    let (server, ui) = observed("local-cluster[2,1,1024]");
    let workspace = many();
    let local = local_report(&workspace);
    wait_until("two executors", || executors(&server).len() == 2);
    let child = begin(&workspace, &server.remote());
    wait_until("a running job", || !running(ui).is_empty());
    std::thread::sleep(Duration::from_secs(1));
    let killed = executors(&server)[0];
    assert!(Command::new("kill").args(["-KILL", &killed.to_string()]).status().unwrap().success());
    let (code, stdout, stderr) = end(child);
    assert_eq!(code, 0, "{stderr}");
    assert!(!executors(&server).contains(&killed));
    assert_eq!(comparable(serde_json::from_str(&stdout).unwrap()), local);
}

#[test]
fn a_check_that_is_stopped_leaves_no_query_behind() {
    let (server, ui) = observed("local[2]");
    let workspace = many();
    let child = begin(&workspace, &server.remote());
    wait_until("a running job", || !running(ui).is_empty());
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let (code, stdout, stderr) = end(child);
    assert!(code == 143 && stdout.is_empty(), "{code} {stderr}");
    wait_until("no running job", || running(ui).is_empty());
    // Nothing is begun again.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(running(ui), Vec::<u64>::new());
}

#[test]
fn a_connection_that_is_cut_in_the_middle_is_no_verdict() {
    let (server, ui) = observed("local[2]");
    let workspace = many();
    let middle = Middle::before(server.port);
    let child = begin(&workspace, &format!("sc://127.0.0.1:{}", middle.port));
    wait_until("a running job", || !running(ui).is_empty());
    middle.cut();
    assert_broken_off(child, &["broke", "a rerun is safe"]);
    // Over a new connection the cluster is told to stop.
    wait_until("no running job", || running(ui).is_empty());
}

#[test]
fn a_query_that_somebody_kills_is_no_verdict() {
    let (server, ui) = observed("local[2]");
    let workspace = many();
    let child = begin(&workspace, &server.remote());
    wait_until("a running job", || !running(ui).is_empty());
    // As the button of Spark's own page does it.
    let page = interface(ui, "GET /jobs/", "");
    let token = page.split_once("name=\"csrfToken\" value=\"").and_then(|(_, rest)| rest.split_once('"')).expect("a form").0;
    let killed = running(ui)[0];
    let answer = interface(ui, "POST /jobs/job/kill/", &format!("id={killed}&csrfToken={token}"));
    assert!(answer.starts_with("HTTP/1.1 302"), "{answer}");
    assert_broken_off(child, &["cancelled", "a rerun is safe"]);
    wait_until("no running job", || running(ui).is_empty());
}

#[test]
fn a_server_that_is_too_old_is_told_of() {
    let workspace = small();
    let middle = Middle::saying(shared().port, "4.1.4", "3.5.4");
    let ran = check(&workspace, &format!("sc://127.0.0.1:{}", middle.port), &[]);
    assert_refused(&workspace, &ran, 5, &["runs Spark 3.5.4, and 4.0 or later is needed"]);
}

#[test]
fn only_a_server_that_proves_who_it_is_gets_the_token() {
    let server = guarded();
    let workspace = small();
    let authority = Authority::new();
    workspace.write("ca.pem", &authority.pem);
    let ca = workspace.path("ca.pem").display().to_string();
    let by = |leaf: &Leaf| {
        let remote = format!("sc://127.0.0.1:{}/;use_ssl=true", encrypted(server.port, leaf));
        let settings =
            [("DRIFT_CHECK__ENGINE__TOKEN", "env:T"), ("T", TOKEN), ("SSL_CERT_FILE", &ca), ("DRIFT_CHECK__ENGINE__TIMEOUT", "5s")];
        check(&workspace, &remote, &settings)
    };
    for doubtful in [authority.expired(), authority.of_another_host(), Authority::new().good()] {
        let ran = by(&doubtful);
        assert_refused(&workspace, &ran, 5, &["cannot reach the Spark Connect server"]);
    }
    let ran = by(&authority.good());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_server_that_dies_is_not_waited_for() {
    let (server, ui) = observed("local[2]");
    let workspace = many();
    let child = begin_with(&workspace, &server.remote(), &[("DRIFT_CHECK__ENGINE__TIMEOUT", "4s")]);
    wait_until("a running job", || !running(ui).is_empty());
    let java = processes(&server, "SparkConnectServer");
    assert!(!java.is_empty());
    for process in java {
        assert!(Command::new("kill").args(["-KILL", &process.to_string()]).status().unwrap().success());
    }
    let killed = Instant::now();
    assert_broken_off(child, &["a rerun is safe"]);
    assert!(killed.elapsed() < Duration::from_mins(1), "{:?}", killed.elapsed());
}
