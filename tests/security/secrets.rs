//! Secrets are configured everywhere that one can be, by variable and by file, and real runs do everything that runs do, well and badly:
//! none of them is in what comes out.

use std::process::{Command, Stdio};

use super::emitted::{Emitted, command_line};
use crate::authority::{Authority, Leaf};
use crate::mail_server::{Kind, MailServer};
use crate::message_server::{MessageServer, SIGNING_SECRET, Trouble};
use crate::workspace::{AS_OF, Ran, Workspace, rows, stamp};

const SLACK_PATH: &str = "/services/T0SLACK9000/B0SLACK9000/slack-path-9000";
const LOGIN: [&str; 2] = ["drift", "smtp password/9000=+"];
const WRONG_PASSWORD: &str = "wrong password/9000=+";
const PAGERDUTY_KEY: &str = "pagerduty+key/9000=";
const HOOK_LOGIN: &str = "hook-user-9000:hook-password-9000";
const HOOK_PATH: &str = "/hook/hook-path-9000?token=hook%20query%2F9000";
/// In the environment, and none of our business.
const UNRELATED: &str = "unrelated-secret-9000";

fn secrets() -> Vec<(&'static str, String)> {
    let secrets = [
        ("Slack's team", "T0SLACK9000"),
        ("Slack's app", "B0SLACK9000"),
        ("Slack's secret", "slack-path-9000"),
        ("the mail password", LOGIN[1]),
        ("the wrong mail password", WRONG_PASSWORD),
        ("PagerDuty's key", PAGERDUTY_KEY),
        ("the webhook's user", "hook-user-9000"),
        ("the webhook's password", "hook-password-9000"),
        ("the webhook's path", "hook-path-9000"),
        ("the webhook's query", "hook query/9000"),
        ("the webhook's query, encoded", "hook%20query%2F9000"),
        ("the signing secret", SIGNING_SECRET),
        ("another variable", UNRELATED),
    ];
    secrets.map(|(name, secret)| (name, secret.to_owned())).to_vec()
}

/// A drifted window that all four channels are told of.
struct Scene {
    workspace: Workspace,
    environment: Vec<(String, String)>,
    emitted: Emitted,
    runs: u32,
}

impl Scene {
    /// `base` is the address of Slack, PagerDuty and the webhook.
    fn new(base: &str, mail_port: u16, authority: &Authority, timeout: &str) -> Self {
        let workspace = Workspace::new();
        let file = |name: &str| workspace.path(name).display().to_string();
        workspace
            .write("secrets/slack", format!("{base}{SLACK_PATH}\n"))
            .write("secrets/mail", LOGIN[1])
            .write("secrets/signing", format!("{SIGNING_SECRET}\r\n"))
            .write("ca.pem", &authority.pem);
        workspace.reference().logs(300, 0.5).config(&format!(
            "[signals.data-drift]\nmode = \"notify\"\nchannels = [\"slack\", \"email\", \"pagerduty\", \"webhook\"]\nclose_after = 1\n\
             [channels]\ntimeout = \"{timeout}\"\nca_file = \"{}\"\n[channels.slack]\nwebhook = \"file:{}\"\n\
             [channels.email]\nsmtp = \"127.0.0.1:{mail_port}\"\nfrom = \"drift@example.com\"\nto = [\"oncall@example.com\"]\n\
             username = \"drift\"\npassword = \"file:{}\"\n[channels.pagerduty]\nkey = \"env:PAGERDUTY_KEY\"\n\
             endpoint = \"{base}/v2/enqueue\"\n[channels.webhook]\nurl = \"env:HOOK\"\nsecret = \"file:{}\"\n",
            file("ca.pem"),
            file("secrets/slack"),
            file("secrets/mail"),
            file("secrets/signing"),
        ));
        let hook = format!("{}{HOOK_PATH}", base.replace("://", &format!("://{HOOK_LOGIN}@")));
        let environment = [("PAGERDUTY_KEY", PAGERDUTY_KEY.to_owned()), ("HOOK", hook), ("UNRELATED", UNRELATED.to_owned())];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { workspace, environment, emitted: Emitted::default(), runs: 0 }
    }

    fn run(&mut self, arguments: &[&str]) -> Ran {
        let variables: Vec<(&str, &str)> = self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut all = vec!["--config", "config.toml"];
        all.extend(arguments);
        // Servers live on the test's runtime.
        let ran = tokio::task::block_in_place(|| self.workspace.run_with(&all, &variables));
        self.runs += 1;
        self.emitted.ran(&format!("run {}, {arguments:?}", self.runs), &ran);
        ran
    }

    /// A check that says everything, of a window that nobody has looked at yet.
    fn check(&mut self, code: i32) -> Ran {
        let as_of = AS_OF.replace(":00Z", &format!(":{:02}Z", self.runs));
        let ran = self.run(&["--as-of", &as_of, "--format", "json", "-v", "-v"]);
        assert_eq!(ran.code, code, "{}", ran.stderr);
        ran
    }

    fn assert_clean(mut self) {
        let made_for_it = |name: &str| name.starts_with("secrets/") || name == "ca.pem" || name == "config.toml";
        self.emitted.files(&self.workspace, made_for_it);
        assert!(self.workspace.path("state.db").exists());
        self.emitted.assert_holds_none_of(&secrets());
    }
}

fn mail_with(trouble: &'static str, leaf: &Leaf) -> MailServer {
    MailServer::start(&Kind { tls: "starttls", leaf: Some(leaf), login: Some(LOGIN), trouble, ..Kind::open() })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_well_tells_no_secret() {
    let authority = Authority::new();
    let (server, mail) = (MessageServer::start().await, mail_with("", &authority.good()));
    let mut scene = Scene::new(&server.url(""), mail.port, &authority, "20s");
    scene.check(0);
    // Every secret was really used: by its receiver, and by nobody else.
    let received = server.received();
    let paths: Vec<&str> = received.iter().map(|received| received.path.as_str()).collect();
    assert_eq!(paths, [SLACK_PATH, "/v2/enqueue", "/hook/hook-path-9000"], "the signature was checked by the server");
    assert_eq!(received[1].body["routing_key"], PAGERDUTY_KEY);
    assert!(received[2].headers["authorization"].to_str().unwrap().starts_with("Basic aG9vay11c2VyLTkwMDA6"));
    assert_eq!(mail.received()[0]["user"], "drift");
    let received: String = received[..2].iter().map(|received| format!("{received:?}")).collect();
    assert!(!received.contains(SIGNING_SECRET) && !received.contains("hook-p"), "{received}");

    // Resolved, and all that can be asked for.
    scene.workspace.logs(300, 0.0);
    scene.check(0);
    assert_eq!((server.received().len(), mail.received().len()), (6, 2));
    scene.workspace.logs(300, 0.5);
    for arguments in [
        &["--as-of", "2026-01-31T20:00:00Z", "--dry-run", "-v", "-v"][..],
        &["--as-of", "2026-01-31T20:00:00Z", "--dry-run", "--format", "json", "-v", "-v"],
        &["--as-of", "2026-01-31T20:00:00Z", "--dry-run", "--format", "markdown"],
        &["--as-of", "2026-01-31T21:00:00Z", "--no-notify", "--timings"],
        &["config"],
        &["config", "--format", "json", "-v", "-v"],
        &["history", "--silence", "data-drift", "24h", "--reason", "a test"],
        &["history"],
        &["history", "--format", "json", "-v", "-v"],
        &["profile", "-v", "-v"],
    ] {
        let ran = scene.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
    }
    assert!(scene.emitted.holds("Would be sent to Slack (file:") && scene.emitted.holds("env:PAGERDUTY_KEY"));
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_channels_do_wrong_tells_no_secret() {
    let authority = Authority::new();
    let leaf = authority.good();
    for (trouble, mail) in [
        // A server that sends everything back that it was sent.
        (Trouble::Echo(403), "rejects-content"),
        (Trouble::Echo(500), "defers-once"),
        (Trouble::Hang, "hangs-at-data"),
        (Trouble::Redirect(format!("https://elsewhere.example{SLACK_PATH}")), ""),
    ] {
        let (server, mail) = (MessageServer::start().await, mail_with(mail, &leaf));
        server.always(trouble);
        let mut scene = Scene::new(&server.url(""), mail.port, &authority, "1s");
        let ran = scene.check(6);
        assert!(ran.stdout.contains("delivery-failed") && !server.received().is_empty(), "{}", ran.stdout);
        // Tried again, with other words where the password is wrong: the server repeats it.
        scene.workspace.write("secrets/mail", WRONG_PASSWORD);
        scene.check(6);
        scene.run(&["history"]);
        scene.assert_clean();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_there_or_not_trusted_is_told_of_without_a_secret() {
    let authority = Authority::new();
    let stranger = Authority::new().good();
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut absent = Scene::new(&format!("http://{nobody}"), nobody.port(), &authority, "1s");
    absent.check(6);
    absent.assert_clean();

    let (server, mail) = (MessageServer::start_with(&stranger).await, mail_with("", &stranger));
    let mut untrusted = Scene::new(&server.url(""), mail.port, &authority, "2s");
    let ran = untrusted.check(6);
    assert!(ran.stderr.matches("UnknownIssuer").count() >= 4, "{}", ran.stderr);
    assert!(server.received().is_empty() && mail.received().is_empty());
    untrusted.assert_clean();

    // A proxy on the way has a password too.
    let mut proxied = Scene::new("https://hooks.example", nobody.port(), &authority, "1s");
    let proxy = format!("http://proxy-user:proxy-password-9000@{nobody}");
    proxied.environment.push(("HTTPS_PROXY".to_owned(), proxy));
    proxied.check(6);
    proxied.emitted.assert_holds_none_of(&[("the proxy's password", "proxy-password-9000".to_owned())]);
    proxied.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_wrong_place_is_not_repeated() {
    let authority = Authority::new();
    let mut scene = Scene::new("http://127.0.0.1:1", 1, &authority, "1s");
    let known = scene.environment.clone();
    let hook = format!("https://{HOOK_LOGIN}@hooks.example{HOOK_PATH}");
    for (name, value) in [
        ("DRIFT_CHECK__CHANNELS__SLACK__WEBHOOK", format!("https://hooks.slack.com{SLACK_PATH}")),
        ("DRIFT_CHECK__CHANNELS__SLACK__TOKEN", format!("https://hooks.slack.com{SLACK_PATH}")),
        ("DRIFT_CHECK__CHANNELS__EMAIL__PASSWORD", LOGIN[1].to_owned()),
        ("DRIFT_CHECK__CHANNELS__EMAIL__SMTP", format!("drift:{WRONG_PASSWORD}@mail.example")),
        ("DRIFT_CHECK__CHANNELS__PAGERDUTY__KEY", PAGERDUTY_KEY.to_owned()),
        ("DRIFT_CHECK__CHANNELS__WEBHOOK__URL", hook.clone()),
        ("DRIFT_CHECK__CHANNELS__WEBHOOK__SECRET", SIGNING_SECRET.to_owned()),
        ("DRIFT_CHECK__CHANNELS__PAGERDUTY__ENDPOINT", hook.clone()),
        ("DRIFT_CHECK__BUCKET__ENDPOINT", hook.clone()),
        ("DRIFT_CHECK__BUCKET__URI", hook.clone()),
        ("DRIFT_CHECK__STORE__ENDPOINT", hook.clone()),
        ("STORAGE_EMULATOR_HOST", hook.clone()),
    ] {
        scene.environment.push((name.to_owned(), value));
        let ran = scene.run(&["--as-of", AS_OF, "-v", "-v"]);
        assert_eq!(ran.code, 3, "{name}: {}", ran.stderr);
        scene.environment.clone_from(&known);
    }
    // What a reference leads to is not what belongs there.
    scene.environment.retain(|(name, _)| name != "HOOK");
    scene.environment.push(("HOOK".to_owned(), format!("{HOOK_LOGIN} {HOOK_PATH}")));
    scene.workspace.write("secrets/slack", format!("http://hooks.slack.com{SLACK_PATH}"));
    scene.workspace.write("secrets/mail", [LOGIN[1].as_bytes(), &[0xFF][..]].concat());
    std::fs::remove_file(scene.workspace.path("secrets/signing")).unwrap();
    let ran = scene.check(6);
    for says in ["is an address without encryption", "is not UTF-8", "is not an https address"] {
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
    }
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_no_argument_of_a_process_and_in_no_line_of_a_broken_run() {
    let authority = Authority::new();
    let server = MessageServer::start().await;
    let mut scene = Scene::new(&server.url(""), 1, &authority, "20s");
    server.next([Trouble::Hang]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_drift-check"));
    command.current_dir(scene.workspace.path("")).env_clear().envs(scene.environment.clone());
    command.args(["--config", "config.toml", "--as-of", AS_OF, "-v", "-v"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    while server.received().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let arguments = command_line(child.id());
    assert!(String::from_utf8_lossy(&arguments).contains("config.toml"));
    scene.emitted.add("the command line", &arguments);
    assert!(Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().unwrap().success());
    let output = tokio::task::block_in_place(|| child.wait_with_output()).unwrap();
    assert_eq!(output.status.code(), Some(143));
    scene.emitted.add("stdout", &output.stdout);
    scene.emitted.add("stderr", &output.stderr);
    scene.assert_clean();

    // Logs that cannot be used are told of too, without a report.
    let mut unusable = Scene::new(&server.url(""), 1, &authority, "1s");
    let config = std::fs::read_to_string(unusable.workspace.path("config.toml")).unwrap();
    unusable.workspace.write("config.toml", config.replace("signals.data-drift", "signals.broken-input"));
    unusable.workspace.write("bucket/predictions/logs.csv", format!("ts,a,b\n{}", rows(50, |i| format!("{},1,", stamp(i)), |a| a)));
    unusable.check(4);
    unusable.assert_clean();
}
