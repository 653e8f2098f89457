//! From a configuration and the secrets it refers to, to channels: each by itself, and no secret in what is said of those that cannot be
//! used.

use drift_check::config;
use drift_check::job::channels::build;

use crate::authority::Authority;
use crate::workspace::Workspace;

const SECRET: &str = "T0-the-secret";

/// What each channel of a configuration has become.
fn built(file: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let (config, _) = config::load(Some(("x.toml", file)), [], &[]).unwrap();
    let environment: Vec<(String, String)> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let channels = build(&config, &environment);
    let said = channels.iter().map(|(name, channel)| match channel {
        Ok(channel) => {
            assert_eq!(channel.name(), *name);
            assert!(!format!("{channel:?}").contains(SECRET), "{channel:?}");
            channel.receiver()
        }
        Err(problem) => format!("{name}: {problem}"),
    });
    let said: Vec<String> = said.collect();
    assert!(!said.join("\n").contains(SECRET), "{said:?}");
    said
}

#[test]
fn every_channel_is_built_from_its_references() {
    let workspace = Workspace::new();
    workspace.write("slack", format!("https://hooks.slack.com/services/{SECRET}\r\n"));
    workspace.write("ca.pem", Authority::new().pem);
    let file = format!(
        "channels.ca_file = \"{}\"\nchannels.slack.webhook = \"file:{}\"\n\
         channels.email = {{ smtp = \"smtp.example\", from = \"a@b.example\", to = [\"c@d.example\"], username = \"u\", password = \"env:P\" }}\n\
         channels.pagerduty.key = \"env:K\"\nchannels.webhook = {{ url = \"env:U\", secret = \"env:S\" }}\n",
        workspace.path("ca.pem").display(),
        workspace.path("slack").display()
    );
    let url = format!("https://hook.example/{SECRET}");
    let environment = [("P", SECRET), ("K", SECRET), ("U", url.as_str()), ("S", SECRET)];
    let slack = format!("Slack (file:{})", workspace.path("slack").display());
    let others = ["c@d.example through smtp.example:587", "PagerDuty (env:K)", "webhook (env:U)"];
    assert_eq!(built(&file, &environment), [&[slack.as_str()], others.as_slice()].concat());
    assert_eq!(built("", &[]), [""; 0]);
}

#[test]
fn a_broken_channel_is_named_and_keeps_no_other_from_being_used() {
    let workspace = Workspace::new();
    workspace.write("binary", [0xFF, 0xFE]);
    workspace.write("empty", "\n");
    let file = "channels.slack.webhook = \"env:U\"\nchannels.pagerduty.key = \"env:K\"\nchannels.webhook.url = \"env:W\"\n";
    for (value, says) in [
        (Some(SECRET), "is not an address"),
        (Some("http://hooks.slack.com/T0-the-secret"), "is an address without encryption: write https"),
        (Some("ftp://T0-the-secret/"), "is not an https address"),
        (Some(""), "is empty"),
        (None, "is not set, or not UTF-8"),
    ] {
        let mut environment = vec![("K", SECRET), ("W", "https://hook.example/T0-the-secret")];
        environment.extend(value.map(|value| ("U", value)));
        let slack = format!("slack: `channels.slack.webhook` (env:U) {says}");
        assert_eq!(built(file, &environment), [slack.as_str(), "PagerDuty (env:K)", "webhook (env:W)"]);
    }
    for (name, says) in [("binary", "is not UTF-8"), ("empty", "is empty"), ("missing", "cannot be read: entity not found")] {
        let path = workspace.path(name);
        let said = built(&format!("channels.slack.webhook = \"file:{}\"\n", path.display()), &[]);
        assert_eq!(said, [format!("slack: `channels.slack.webhook` (file:{}) {says}", path.display())]);
    }
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let workspace = Workspace::new();
    workspace.write("no.pem", "no certificate");
    for (name, says) in [("no.pem", "holds no certificate in PEM"), ("missing.pem", "cannot be read")] {
        let path = workspace.path(name);
        let said =
            built(&format!("channels.ca_file = \"{}\"\nchannels.pagerduty.key = \"env:K\"\n", path.display()), &[("K", SECRET)]);
        assert!(said[0].starts_with(&format!("pagerduty: `channels.ca_file` ({}) {says}", path.display())), "{said:?}");
    }
}
