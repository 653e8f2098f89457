//! Names of columns, classes and objects, and reasons of silences, that are code wherever they are shown: in the page, in messages, on a
//! terminal, in a log, in a job's summary. The real binary tells of them, and nothing obeys.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::mail_server::{Kind, MailServer};
use crate::message_server::{MessageServer, SIGNING_SECRET};
use crate::workspace::{AS_OF, Ran, Workspace, stamp};

/// Each with a word by which it is known again.
const NAMES: [&str; 9] = [
    "<script>mark0()</script>",
    "\u{1b}[31mmark1\u{1b}[0m\u{1b}]0;title\u{7}\u{9b}2J",
    "\u{202E}mark2\u{200B}\u{2066}",
    "<!channel> *mark3* <https://evil.example|here> <@U1>",
    "::set-output name=mark4::stable",
    "##[add-mask]mark5",
    "javascript:mark6()",
    "a|mark7`c` [x](https://evil.example)\r\nBcc: eve@example.com",
    "\"><img src=x onerror=mark8()> {{ x }} </title></style>",
];

const CLASSES: [&str; 2] = ["<b onclick=class0()>\u{1b}[1m", "::error::class1 <!here> \u{202E}"];

const REASON: &str = "<script>reason()</script> \u{1b}[5m <!everyone>";

/// What the page is made of.
const TAGS: &str = "!doctype html head meta title link style body svg symbol path circle rect line g use text polyline polygon defs \
                    pattern desc col colgroup ol a div header main footer nav section article h1 h2 h3 h4 p span strong small b i dl dt dd ul li pre \
                    code table thead tbody tr th td caption details summary figure figcaption abbr em br";

/// A name that is longer than anything that shows it.
fn long_name() -> String {
    format!("long{}", "x".repeat(3_000))
}

/// A window of these features, all of them drifted, with an object that has hostile names for a key and rows that cannot be used.
fn scene(names: &[String], channels: &str) -> Workspace {
    let rows = |count: u32, shift: f64, is_log: bool| -> String {
        let row = |i: u32| {
            let mut row = serde_json::Map::new();
            for name in names {
                row.insert(name.clone(), (f64::from(i * 181 % 400) / 400.0 + shift).into());
            }
            row.insert("pred".to_owned(), CLASSES[usize::from(i.is_multiple_of(10) == is_log)].into());
            if is_log {
                row.insert("ts".to_owned(), stamp(i).into());
            }
            format!("{}\n", Value::Object(row))
        };
        (0..count).map(row).collect()
    };
    let workspace = Workspace::new();
    let config = "[job]\nname = \"test\"\n[bucket]\nuri = \"file:bucket\"\n[store]\npath = \"state.db\"\n[logs]\ntimestamp = \"ts\"\n\
                  [prediction]\nclass = \"pred\"\n";
    workspace.write("config.toml", format!("{config}{channels}"));
    workspace.write("bucket/reference/reference.ndjson", rows(400, 0.0, false));
    workspace.write("bucket/predictions/logs.ndjson", rows(300, 0.5, true));
    let broken = rows(300, 0.5, true).replacen('{', "<script>row()</script> \u{1b}[31m", 3);
    workspace.write("bucket/predictions/\u{1b}[31m<script>key0()<script>\u{202E}\n::error::key1 ##[x].ndjson", broken);
    workspace
}

fn all_names() -> Vec<String> {
    NAMES.iter().map(|name| (*name).to_owned()).chain([long_name()]).collect()
}

/// Nothing in a text moves a cursor, colours, hides or reorders.
fn assert_visible(what: &str, text: &str) {
    let reorders = |c: char| matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    for line in text.split('\n') {
        assert!(!line.contains(|c: char| c.is_control() || reorders(c)), "{what}: {line:?}");
    }
}

/// And GitHub's runner takes no line of it for a command.
fn assert_plain(what: &str, text: &str) {
    assert_visible(what, text);
    for line in text.lines() {
        assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{what}: {line:?}");
    }
}

fn check(workspace: &Workspace, arguments: &[&str]) -> Ran {
    let ran = workspace.check(arguments);
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
    ran
}

#[test]
fn no_name_is_obeyed_by_whatever_shows_what_a_run_prints() {
    let workspace = scene(&all_names(), "");
    let silence = workspace.run(&["--config", "config.toml", "history", "--silence", "broken-input", "24h", "--reason", REASON]);
    assert_eq!(silence.code, 0, "{}", silence.stderr);
    let text = check(&workspace, &["-v"]);
    let json = check(&workspace, &["--format", "json", "-v", "-v"]);
    let markdown = check(&workspace, &["--format", "markdown"]);
    let history = workspace.run(&["--config", "config.toml", "history"]);
    let history_json = workspace.run(&["--config", "config.toml", "history", "--format", "json"]);
    for (what, ran) in
        [("text", &text), ("json", &json), ("markdown", &markdown), ("history", &history), ("history json", &history_json)]
    {
        assert_plain(what, &ran.stdout);
        assert_plain(what, &ran.stderr);
        for line in ran.stderr.lines() {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        }
    }
    // They are all there, as what they are.
    let report = json.json();
    let names: Vec<&str> = report["features"].as_array().unwrap().iter().map(|feature| feature["name"].as_str().unwrap()).collect();
    for name in all_names() {
        assert!(names.contains(&name.as_str()), "{name:?} is not in {names:?}");
    }
    assert_eq!(history_json.json()["silences"][0]["reason"], REASON);
    for mark in (0..NAMES.len()).map(|i| format!("mark{i}")).chain(["key1".to_owned()]) {
        assert!(text.stdout.contains(&mark) && markdown.stdout.contains(&mark), "{mark}: {}", text.stdout);
    }
    assert!(text.stdout.contains("class1"), "{}", text.stdout);
    assert!(!markdown.stdout.contains("<script") && !markdown.stdout.contains("](http") && !markdown.stdout.contains("<img"));
    let written = std::fs::read_to_string(workspace.path("bucket/reports/test/latest.json")).unwrap();
    assert_plain("latest.json", &written);
}

#[test]
fn no_name_becomes_markup_in_the_page() {
    let workspace = scene(&all_names(), "");
    workspace.run(&["--config", "config.toml", "history", "--silence", "broken-input", "24h", "--reason", REASON]);
    check(&workspace, &[]);
    let page = std::fs::read_to_string(workspace.path("bucket/reports/test/latest.html")).unwrap();
    assert!(page.len() < 1_000_000, "{}", page.len());
    assert_visible("the page", &page);
    let policy =
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:;";
    assert!(page.contains(policy));
    for tag in page.split('<').skip(1) {
        let name = tag.trim_start_matches('/').split(|c: char| c.is_whitespace() || c == '>' || c == '/').next().unwrap();
        assert!(TAGS.split(' ').any(|known| known == name), "<{tag}");
        // What is in quotes is a value, whatever it says; no name has ended one.
        let tag = tag.split('>').next().unwrap();
        let attributes: String = tag.split('"').step_by(2).collect();
        assert!(!["onerror", "onclick", "src", "javascript"].iter().any(|word| attributes.contains(word)), "<{tag}>");
    }
    for target in page.split("href=\"").skip(1).map(|part| part.split('"').next().unwrap()) {
        assert!(target.starts_with('#') || target == "data:,", "a link to {target}");
    }
    for mark in (0..NAMES.len()).map(|i| format!("mark{i}")).chain(["class0", "class1", "key0", "reason"].map(str::to_owned)) {
        assert!(page.contains(&mark), "{mark}");
    }
}

/// Every text of Slack's mark-up in a message, and its fallback.
fn marked_up(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if object.get("type").is_some_and(|kind| kind == "mrkdwn") || object.contains_key("blocks") {
                texts.extend(object.get("text").and_then(Value::as_str).map(str::to_owned));
            }
            object.values().for_each(|value| marked_up(value, texts));
        }
        Value::Array(items) => items.iter().for_each(|item| marked_up(item, texts)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_becomes_markup_in_a_message() {
    let mail = MailServer::start(&Kind::open());
    // A message shows five features: a few at a time.
    for (first, names) in all_names().chunks(4).enumerate() {
        let server = MessageServer::start().await;
        let workspace = scene(
            names,
            &format!(
                "[signals.data-drift]\nmode = \"notify\"\nchannels = [\"slack\", \"email\", \"pagerduty\", \"webhook\"]\n\
                 [signals.prediction-drift]\nmode = \"notify\"\nchannels = [\"slack\", \"email\"]\n[channels]\ntimeout = \"20s\"\n\
                 [channels.slack]\nwebhook = \"env:SLACK\"\n[channels.email]\nsmtp = \"127.0.0.1:{}\"\ntls = \"none\"\n\
                 from = \"drift@example.com\"\nto = [\"oncall@example.com\"]\n[channels.pagerduty]\nkey = \"env:KEY\"\n\
                 endpoint = \"{}\"\n[channels.webhook]\nurl = \"env:HOOK\"\nsecret = \"env:SIGNING\"\n",
                mail.port,
                server.url("/v2/enqueue")
            ),
        );
        let (slack, hook) = (server.url("/services/T0/B0/x"), server.url("/hook"));
        let environment = [("SLACK", slack.as_str()), ("HOOK", &hook), ("KEY", "key"), ("SIGNING", SIGNING_SECRET)];
        let before = mail.received().len();
        let arguments = ["--config", "config.toml", "--as-of", AS_OF];
        let ran = tokio::task::block_in_place(|| workspace.run_with(&arguments, &environment));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let (received, mails) = (server.received(), mail.received().split_off(before));
        assert_eq!((received.len(), mails.len()), (4, 2));

        let mut texts = Vec::new();
        for message in received.iter().filter(|message| message.path.starts_with("/services")) {
            marked_up(&message.body, &mut texts);
        }
        let slack = texts.join("\n");
        assert!(!slack.contains('<'), "a link or a mention: {slack}");
        assert_visible("Slack", &slack);
        let plain: String =
            mails.iter().flat_map(|mail| mail["parts"].as_array().unwrap()).map(|part| part["text"].as_str().unwrap()).collect();
        for i in 0..4 {
            let mark = format!("mark{}", first * 4 + i);
            let is_there = slack.contains(&mark) && plain.contains(&mark);
            assert!(is_there || first * 4 + i >= NAMES.len(), "{mark}: {slack}");
        }
        mails.iter().for_each(assert_harmless_mail);
    }
}

fn assert_harmless_mail(mail: &Value) {
    assert_eq!(mail["to"], serde_json::json!(["oncall@example.com"]));
    for header in mail["headers"].as_array().unwrap() {
        let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
        assert!(!name.eq_ignore_ascii_case("bcc") && !value.contains(char::is_control), "{name}: {value}");
    }
    let html = mail["parts"][1]["text"].as_str().unwrap();
    assert!(html.contains("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"), "{html}");
    for tag in html.split('<').skip(1) {
        let name = tag.trim_start_matches('/').split(|c: char| c.is_whitespace() || c == '>').next().unwrap();
        assert!(!["script", "img", "link", "iframe", "b", "https:"].contains(&name), "<{tag}");
    }
    assert!(!html.contains("javascript:mark6()\"") && !html.contains(" src=\""), "{html}");
}

/// What a terminal gets from a run, on stdout and stderr together, and the code that the run ends with.
fn on_a_terminal(workspace: &Workspace, arguments: &str) -> (String, i32) {
    let command = format!("'{}' --config config.toml --as-of {AS_OF} {arguments}", env!("CARGO_BIN_EXE_drift-check"));
    let ran = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(workspace.path(""))
        .env_clear()
        .envs([("TERM", "xterm"), ("SHELL", "/bin/sh")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (String::from_utf8(ran.stdout).unwrap().replace("\r\n", "\n"), ran.status.code().unwrap())
}

#[test]
fn no_name_steers_a_terminal() {
    let workspace = scene(&all_names(), "");
    let (plain, code) = on_a_terminal(&workspace, "-q --no-color");
    assert_eq!(code, 0, "{plain}");
    assert!(plain.contains("mark1") && plain.contains("key0"), "{plain}");
    assert_visible("the terminal", &plain);
    // Colours and progress are ours; nothing of theirs is.
    let (coloured, _) = on_a_terminal(&workspace, "-v");
    assert!(coloured.contains("\u{1b}["), "{coloured}");
    for theirs in ["\u{1b}[31m", "\u{1b}]0;", "\u{9b}", "\u{202E}", "\u{7}", "\u{1b}[5m", "\u{2066}"] {
        assert!(!coloured.contains(theirs), "{theirs:?}: {coloured:?}");
    }
    // An error names the object that it is about.
    std::fs::remove_file(workspace.path("bucket/predictions/logs.ndjson")).unwrap();
    let hostile = &workspace.files("bucket/predictions")[0];
    workspace.write(&format!("bucket/predictions/{hostile}"), "no rows at all\n");
    let (failed, code) = on_a_terminal(&workspace, "-q --no-color");
    assert_eq!(code, 4, "{failed}");
    assert!(failed.starts_with("error: ") && failed.contains("key0"), "{failed}");
    assert_visible("the terminal", &failed);
}
