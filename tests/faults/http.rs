//! The rows of the channels that speak HTTP: Slack, PagerDuty and the webhook, each through a proxy that does it wrong.

use std::time::Duration;

use super::engine::{Bench, ROUTING_KEY, Row, SLACK_SECRET, Stage};
use super::expected::{Expected, Told};
use super::setting::{self, HOOK};
use super::storage::{ASKS_TO_WAIT, BUSY, HALF_OPEN, LATE, REDIRECT, RESETS, TRUNCATIONS, status};
use crate::faulty::http::{Fault, HttpProxy};
use crate::message_server::{MessageServer, Received, SIGNING_SECRET};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Slack,
    Pagerduty,
    Webhook,
}

/// Within the time of one attempt.
const TRICKLE: Fault = Fault::Trickle(10, Duration::from_millis(50));

type Faults = Vec<(Vec<Fault>, Expected)>;

pub fn rows() -> Vec<Row> {
    let channels = [
        ("channel: Slack", Channel::Slack, slack()),
        ("channel: PagerDuty", Channel::Pagerduty, pagerduty()),
        ("channel: webhook", Channel::Webhook, webhook()),
    ];
    let mut rows = Vec::new();
    for (part, channel, groups) in channels {
        for (fault, expected) in
            groups.into_iter().flat_map(|(faults, expected)| faults.into_iter().map(move |fault| (fault, expected.clone())))
        {
            let name = fault.to_string();
            rows.push(Row { part, fault: name, expected, stage: Box::new(move |bench| stage(bench, channel, fault.clone())) });
        }
    }
    rows
}

/// What is the same for all: `remedy` is what the log says to do about a refusal, `unknown` who hears what where it is not known
/// whether a message that did not arrive had arrived.
fn all(remedy: &'static str, unknown: Told) -> Faults {
    let codes: [(&'static [u16], &'static str); 7] = [
        (&[400], "it answered 400"),
        (&[401], "it answered 401"),
        (&[403], "it answered 403"),
        (&[404], "it answered 404"),
        (&[409], "it answered 409"),
        (&[412], "it answered 412"),
        (&[413], "it answered 413"),
    ];
    let refusal = |(code, words)| (vec![status(code)], Expected::is_not_delivered(&["data-drift by", words, remedy, NEXT_RUN]));
    let mut faults: Faults = codes.map(refusal).into();
    let [reset, _] = RESETS;
    let [end, _] = TRUNCATIONS;
    faults.extend([
        (vec![BUSY], Expected::stays_undelivered(&["it answered 5", NEXT_RUN]).told(unknown)),
        (vec![ASKS_TO_WAIT], Expected::stays_undelivered(&["it answered 429", NEXT_RUN])),
        (vec![REDIRECT], Expected::is_not_delivered(&["a redirect, which is not followed", NEXT_RUN])),
        (vec![LATE, TRICKLE], Expected::passes()),
        (vec![Fault::Refused, Fault::RequestFlipped], Expected::stays_undelivered(&[NETWORK, NEXT_RUN]).told(unknown)),
        (vec![Fault::Silent], Expected::stays_undelivered(&["no answer within", NETWORK]).told(unknown)),
        (
            vec![Fault::EndlessHead, Fault::AnswerFlipped, reset, end],
            Expected::stays_undelivered(&[NETWORK, NEXT_RUN]).told(Told::Again),
        ),
    ]);
    faults
}

const NETWORK: &str = "check the network and the address";
const NEXT_RUN: &str = "is tried again by the next run";

/// Slack's receipt is a word: whatever else it says is none.
fn slack() -> Faults {
    const REMEDY: &str = "check what channels.slack.webhook refers to";
    let mut faults = all(REMEDY, Told::ByTheRerunInDoubt);
    let [_, reset_later] = RESETS;
    let [_, earlier_end] = TRUNCATIONS;
    let no_receipt = |words| Expected::is_not_delivered(words).told(Told::Again);
    faults.extend([
        (vec![Fault::Says("no_service")], Expected::is_not_delivered(&["it answered 200: no_service", REMEDY, NEXT_RUN])),
        (vec![Fault::Garbled, Fault::TooShort, Fault::EndlessBody], no_receipt(&["it answered 200", NEXT_RUN])),
        (vec![reset_later, earlier_end], Expected::stays_undelivered(&[NETWORK, NEXT_RUN]).told(Told::Again)),
        (vec![HALF_OPEN], Expected::stays_undelivered(&["no answer within", NETWORK]).told(Told::Again)),
    ]);
    faults
}

/// A status is a receipt, whatever follows it.
fn once_the_status_is_there() -> (Vec<Fault>, Expected) {
    let [_, reset_later] = RESETS;
    let [_, earlier_end] = TRUNCATIONS;
    (vec![Fault::Garbled, Fault::TooShort, Fault::EndlessBody, reset_later, earlier_end, HALF_OPEN], Expected::passes())
}

/// It knows every message by its key, and needs no word of doubt.
fn pagerduty() -> Faults {
    let mut faults = all("check channels.pagerduty.endpoint and what channels.pagerduty.key refers to", Told::ByTheRerun);
    faults.push(once_the_status_is_there());
    faults
}

fn webhook() -> Faults {
    let mut faults = all("check what channels.webhook.url and channels.webhook.secret refer to", Told::ByTheRerunInDoubt);
    faults.push(once_the_status_is_there());
    faults
}

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Pagerduty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }

    fn config(self) -> String {
        let of_channel = match self {
            Self::Slack => "[channels.slack]\nwebhook = \"env:SLACK\"\n",
            Self::Pagerduty => "[channels.pagerduty]\nkey = \"env:KEY\"\n",
            Self::Webhook => HOOK,
        };
        format!("ca_file = \"authority.pem\"\n{of_channel}")
    }

    /// Where its messages go.
    fn variables(self, base: &str) -> Vec<(&'static str, String)> {
        match self {
            Self::Slack => vec![("SLACK", format!("{base}/services/T0/B0/{SLACK_SECRET}"))],
            Self::Pagerduty => {
                vec![("KEY", ROUTING_KEY.to_owned()), ("DRIFT_CHECK__CHANNELS__PAGERDUTY__ENDPOINT", format!("{base}/v2/enqueue"))]
            }
            Self::Webhook => {
                vec![("HOOK", format!("{base}/hook?token={}", super::engine::HOOK_SECRET)), ("SECRET", SIGNING_SECRET.to_owned())]
            }
        }
    }

    /// Whether a message is known as a repetition: PagerDuty knows every one by its key.
    fn repeats(self, received: &Received) -> bool {
        match self {
            Self::Slack => received.body["text"].as_str().unwrap().contains("May be a repetition"),
            Self::Pagerduty => false,
            Self::Webhook => received.body["may_be_repeated"] == true,
        }
    }
}

fn stage(bench: &Bench, channel: Channel, fault: Fault) -> Stage {
    let server = bench.block_on(MessageServer::start());
    let workspace = setting::in_folder(channel.name(), &channel.config());
    workspace.write("authority.pem", &bench.authority.pem);
    let (fault, elsewhere) = setting::elsewhere(bench, fault);
    let is_encrypted = matches!(fault, Fault::AnswerFlipped | Fault::RequestFlipped);
    let target = server.url("").trim_start_matches("http://").to_owned();
    let proxy = bench.block_on(HttpProxy::start(&target, &["POST "], fault.clone(), is_encrypted.then_some(&bench.leaf)));
    let (faulty, sound) = (channel.variables(&proxy.url()), channel.variables(&server.url("")));
    let heard = move |_: &Bench| {
        let mut heard = setting::heard(&server, |received| channel.repeats(received));
        if channel == Channel::Pagerduty {
            let keys: Vec<_> = server.received().iter().map(|received| received.body["dedup_key"].clone()).collect();
            for (at, heard) in heard.iter_mut().enumerate() {
                heard.repeats = keys[..at].contains(&keys[at]);
            }
        }
        heard
    };
    Stage {
        workspace,
        bucket: None,
        faulty,
        sound,
        mend: Box::new(|_| ()),
        met: Box::new(move || proxy.seen() >= fault.times() || matches!(fault, Fault::RequestFlipped)),
        heard: Box::new(heard),
        elsewhere,
        shell: None,
        _keeps: Vec::new(),
    }
}
