//! Over OTLP: what a collector gets, and what a run says of one that does not take it.

use std::time::{Duration, Instant};

use super::{FILE, LABELS, expected, latest, take_end, workspace};
use crate::authority::Authority;
use crate::collector::{Answer, Collector};
use crate::workspace::{AS_OF, Ran, Workspace, findings};

/// Runs the binary beside the collector, which lives on the test's runtime.
async fn run(workspace: Workspace, environment: &[(&str, &str)]) -> (Workspace, Ran) {
    run_as(workspace, &["--as-of", AS_OF], environment).await
}

async fn run_as(workspace: Workspace, more: &[&str], environment: &[(&str, &str)]) -> (Workspace, Ran) {
    let arguments: Vec<String> = ["--config", "config.toml"].iter().chain(more).map(|text| (*text).to_owned()).collect();
    let environment: Vec<(String, String)> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let work = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let ran = workspace.run_with(&arguments, &environment);
        (workspace, ran)
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn sending_to(url: &str, more: &str) -> Workspace {
    workspace(&format!("otlp_endpoint = \"{url}\"\n{more}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_every_number_of_the_report_once() {
    let collector = Collector::start(&[Answer::Success]).await;
    let cloud_run = [
        ("CLOUD_RUN_JOB", "drift-check"),
        ("CLOUD_RUN_EXECUTION", "drift-check-x7k2p"),
        ("GCP_PROJECT_ID", "project-1"),
        ("OTEL_RESOURCE_ATTRIBUTES", "cloud.region=europe-west1,service.namespace=ct"),
        // For programs with other ways to send: ours is HTTP with protobuf, and is not turned off by them.
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ];
    let (workspace, ran) = run(sending_to(&collector.url, ""), &cloud_run).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let taken = collector.taken();
    let [taken] = taken.as_slice() else { panic!("{} requests", taken.len()) };
    assert_eq!((taken.path.as_str(), &taken.headers["content-type"]), ("/v1/metrics", &"application/x-protobuf".parse().unwrap()));
    let mut samples = taken.samples();
    let ends = take_end(&mut samples);
    let report = latest(&workspace);
    assert_eq!(samples, expected(&report));
    assert_eq!(ends["drift_check_last_run_exit_code"], 0.0);
    assert!((0.001..300.0).contains(&ends["drift_check_run_duration_seconds"]), "{ends:?}");
    let age = chrono::Utc::now().timestamp() as f64 - ends["drift_check_last_success_timestamp_seconds"];
    assert!((0.0..300.0).contains(&age), "{age}");
    let resource = taken.resource();
    for (name, value) in [
        ("service.name", "drift-check"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", "test/local"),
        ("service.namespace", "ct"),
        ("deployment.environment.name", "local"),
        ("cloud.provider", "gcp"),
        ("cloud.platform", "gcp_cloud_run"),
        ("cloud.region", "europe-west1"),
        ("cloud.account.id", "project-1"),
        ("gcp.project_id", "project-1"),
        ("faas.name", "drift-check"),
        ("gcp.cloud_run.job.execution", "drift-check-x7k2p"),
    ] {
        assert_eq!(resource.get(name).map(String::as_str), Some(value), "{name} of {resource:?}");
    }
    assert_eq!(findings(&report).iter().filter(|(code, _)| code == "metrics-not-exported").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_names_of_opentelemetry_are_honoured_and_headers_are_never_shown() {
    let collector = Collector::start(&[Answer::Status(401, "who is Bearer otlp-secret-1?")]).await;
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20otlp-secret-1,x-tenant=ct"),
    ];
    let (workspace, ran) = run_as(workspace(""), &["--as-of", AS_OF, "-v", "-v"], &environment).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let taken = collector.taken();
    let [taken] = taken.as_slice() else { panic!("{} requests: 401 is not tried again", taken.len()) };
    assert_eq!(taken.headers["authorization"], "Bearer otlp-secret-1");
    assert_eq!(taken.headers["x-tenant"], "ct");
    let report = latest(&workspace);
    let said = format!("{}{}{report}", ran.stdout, ran.stderr);
    assert!(said.contains("it answered 401") && said.contains("metrics.otlp_headers"), "{said}");
    assert!(!said.contains("otlp-secret"), "{said}");
    let (_, shown) = run_as(workspace, &["config"], &environment).await;
    assert!(shown.stdout.contains("env:OTEL_EXPORTER_OTLP_HEADERS") && !shown.stdout.contains("otlp-secret"), "{}", shown.stdout);
}

/// Whatever a collector does, the run ends as it would have, and says so where it is looked for: in the log and in the report.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_does_not_take_them_is_a_finding_and_nothing_else() {
    let refusing = [
        (Answer::Status(400, "no"), "it answered 400", 1),
        (Answer::Status(404, "no"), "mostly port 4318", 1),
        (Answer::Status(307, "elsewhere"), "a redirect, which is not followed", 1),
        (Answer::Partial(7, "too many series"), "without 7 of their samples: too many series", 1),
        // These may pass, so they are tried again.
        (Answer::Status(503, "busy"), "it answered 503", 2),
        (Answer::Hang, "no answer", 2),
    ];
    for (answer, says, least) in refusing {
        let collector = Collector::start(std::slice::from_ref(&answer)).await;
        let begin = Instant::now();
        let (workspace, ran) = run(sending_to(&collector.url, "timeout = \"3s\""), &[]).await;
        assert_eq!(ran.code, 0, "{answer:?}: {}", ran.stderr);
        assert!(begin.elapsed() < Duration::from_mins(1), "{answer:?}");
        let report = latest(&workspace);
        let finding = report["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "metrics-not-exported");
        let finding = finding.unwrap_or_else(|| panic!("{answer:?}: {report}"));
        let message = finding["message"].as_str().unwrap();
        assert!(message.contains(says) && message.contains(&collector.url), "{message}");
        assert_eq!(finding["severity"], "warning");
        assert!(ran.messages().iter().any(|line| line == message), "{}", ran.stderr);
        assert!(ran.stdout.contains("metrics-not-exported"), "{}", ran.stdout);
        let times = collector.taken().len();
        assert!(times >= least && (least > 1 || times == 1), "{answer:?} was asked {times} times");
        assert_eq!(report["decision"]["verdict"], "drift");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_a_finding_too() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let (workspace, ran) = run(sending_to(&url, "timeout = \"2s\"\ntextfile = \"metrics/drift.prom\""), &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(findings(&latest(&workspace)).contains(&("metrics-not-exported".to_owned(), String::new())));
    // The file does not need the collector.
    assert!(std::fs::read_to_string(workspace.path(FILE)).unwrap().contains("drift_check_last_run_exit_code"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again_until_it_is_taken() {
    for answer in [Answer::Status(503, "busy"), Answer::Status(429, "later"), Answer::Reset] {
        let collector = Collector::start(&[answer.clone(), Answer::Success]).await;
        let (workspace, ran) = run(sending_to(&collector.url, ""), &[]).await;
        assert_eq!((ran.code, collector.taken().len()), (0, 2), "{answer:?}: {}", ran.stderr);
        assert!(!latest(&workspace).to_string().contains("metrics-not-exported"), "{answer:?}");
    }
    // Taken is taken, however long the answer.
    let collector = Collector::start(&[Answer::Endless]).await;
    let (workspace, ran) = run(sending_to(&collector.url, ""), &[]).await;
    assert_eq!((ran.code, collector.taken().len()), (0, 1), "{}", ran.stderr);
    assert!(!latest(&workspace).to_string().contains("metrics-not-exported"));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_features_than_the_exporters_own_limit_arrive_whole() {
    const FEATURES: usize = 2_100;
    let collector = Collector::start(&[Answer::Success]).await;
    let workspace = Workspace::new();
    let names: Vec<String> = (0..FEATURES).map(|i| format!("f{i}")).collect();
    let row = |i: usize| (0..FEATURES).map(|j| ((i * 7 + j) % 13).to_string()).collect::<Vec<_>>().join(",");
    let table = |rows: usize, shift: usize| (0..rows).map(|i| row(i + shift) + "\n").collect::<String>();
    let header = names.join(",");
    workspace
        .write("bucket/reference/reference.csv", format!("{header}\n{}", table(30, 0)))
        .write("bucket/predictions/logs.csv", format!("{header}\n{}", table(20, 3)))
        .write(
            "config.toml",
            format!(
                "job.name = \"test\"\nbucket.uri = \"file:bucket\"\nstore.path = \"state.db\"\npolicy.joint_features = 0\n\
                 metrics.otlp_endpoint = \"{}\"\n",
                collector.url
            ),
        );
    let (workspace, ran) = run(workspace, &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut samples = collector.taken()[0].samples();
    take_end(&mut samples);
    assert_eq!(samples, expected(&latest(&workspace)));
    let psi = samples.keys().filter(|(name, _)| name == "drift_check_feature_psi").count();
    assert_eq!(psi, FEATURES);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_sends_nothing_and_a_run_that_fails_sends_no_success() {
    let collector = Collector::start(&[Answer::Success]).await;
    let workspace = sending_to(&collector.url, "textfile = \"metrics/drift.prom\"");
    let (workspace, ran) = run_as(workspace, &["--as-of", AS_OF, "--dry-run"], &[]).await;
    assert_eq!((ran.code, collector.taken().len()), (0, 0), "{}", ran.stderr);
    assert!(!workspace.path(FILE).exists());
    let (_, ran) = run_as(workspace, &["--as-of", AS_OF, "--reference", "nowhere.csv"], &[]).await;
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    let mut samples = collector.taken()[0].samples();
    let ends = take_end(&mut samples);
    assert_eq!(ends["drift_check_last_run_exit_code"], 4.0);
    assert!(!ends.contains_key("drift_check_last_success_timestamp_seconds"), "{ends:?}");
    let names: Vec<&str> = samples.keys().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["drift_check_build_info"]);
    let labels = &samples.keys().next().unwrap().1;
    assert!(LABELS.iter().all(|(label, value)| labels[*label] == *value), "{labels:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_collector_is_trusted_by_its_authority_only() {
    let authority = Authority::new();
    let server = crate::message_server::MessageServer::start_with(&authority.good()).await;
    let workspace = sending_to(&server.url(""), "ca_file = \"authority.pem\"\ntimeout = \"6s\"");
    workspace.write("authority.pem", Authority::new().pem);
    let (workspace, ran) = run(workspace, &[]).await;
    let said = latest(&workspace).to_string();
    assert!(ran.code == 0 && said.contains("UnknownIssuer") && said.contains("metrics.ca_file"), "{said}");
    workspace.write("authority.pem", "no certificate");
    let (workspace, ran) = run(workspace, &[]).await;
    let said = latest(&workspace).to_string();
    assert!(ran.code == 0 && said.contains("metrics.ca_file holds no certificate in PEM"), "{said}");
}
