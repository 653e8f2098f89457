//! Slack, PagerDuty and the webhook over real sockets: delivered, put off, refused, hanging, broken, redirected, not who they say they
//! are. After every failure: nothing that was said holds a secret.

use std::time::{Duration, Instant};

use drift_check::notify::pagerduty::Pagerduty;
use drift_check::notify::slack::Slack;
use drift_check::notify::webhook::Webhook;
use drift_check::notify::{Address, Channel, ChannelName, Envelope, Hidden, Http, SendError};
use drift_check::retry::Transient;

use crate::authority::Authority;
use crate::faulty::Faulty;
use crate::message_server::{MessageServer, SIGNING_SECRET, Trouble};
use crate::sample_notification as sample;

const SLACK_PATH: &str = "/services/T0SECRET0/B0SECRET0/slack-path-secret";
const WEBHOOK_PATH: &str = "/hook/webhook-path-secret?token=webhook-query-secret";
const ROUTING_KEY: &str = "pagerduty-routing-key-secret";

/// Whatever is said of a channel holds none of these.
const SECRETS: [&str; 7] =
    ["T0SECRET0", "B0SECRET0", "slack-path-secret", "webhook-path-secret", "webhook-query-secret", ROUTING_KEY, SIGNING_SECRET];

/// Long enough for a loaded machine to answer within a third of it.
const TIMEOUT: Duration = Duration::from_secs(12);

fn envelope() -> Envelope {
    Envelope { message_id: "0197-opened".to_owned(), may_be_repeated: false, report: None }
}

fn slack_at(url: &str, http: Http) -> Channel {
    Channel::Slack(Slack::new(Address::parse(url).unwrap(), "env:SLACK_WEBHOOK", http))
}

/// All three channels to one server.
fn channels(base: &str, http: &Http) -> [Channel; 3] {
    let at = |path: &str| Address::parse(&format!("{base}{path}")).unwrap();
    let key = Hidden::new(ROUTING_KEY);
    [
        slack_at(&format!("{base}{SLACK_PATH}"), http.clone()),
        Channel::Pagerduty(Pagerduty::new(key, "env:PAGERDUTY_KEY", at("/v2/enqueue"), http.clone())),
        Channel::Webhook(Webhook::new(at(WEBHOOK_PATH), "env:WEBHOOK", Some(Hidden::new(SIGNING_SECRET)), http.clone())),
    ]
}

fn http(timeout: Duration) -> Http {
    Http::new(timeout, None).unwrap()
}

async fn send(channel: &Channel) -> Result<(), SendError> {
    let result = channel.send(&sample::opened(), &envelope()).await;
    let preview = channel.preview(&sample::opened(), &envelope());
    let said = format!("{result:?} {channel:?} {preview} {}", channel.receiver());
    let said = result.as_ref().err().map(|error| format!("{said} {error} {}", error.kind())).unwrap_or(said);
    for secret in SECRETS {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    result
}

/// One failure of each channel.
async fn failures(server: &MessageServer, timeout: Duration) -> Vec<SendError> {
    let mut failures = Vec::new();
    for channel in channels(&server.url(""), &http(timeout)) {
        let error = send(&channel).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("{} did not take the message: ", channel.name())), "{error}");
        failures.push(error);
    }
    failures
}

fn kinds(failures: &[SendError]) -> Vec<String> {
    failures.iter().map(SendError::kind).collect()
}

#[tokio::test]
async fn every_channel_delivers_encrypted_where_its_authority_is_trusted() {
    let authority = Authority::new();
    let server = MessageServer::start_with(&authority.good()).await;
    let http = Http::new(TIMEOUT, Some(authority.pem.as_bytes())).unwrap();
    for channel in channels(&server.url(""), &http) {
        send(&channel).await.unwrap();
    }
    let paths: Vec<String> = server.received().into_iter().map(|received| received.path).collect();
    assert_eq!(paths, [SLACK_PATH, "/v2/enqueue", "/hook/webhook-path-secret"]);
    assert_eq!(server.received()[1].body["routing_key"], ROUTING_KEY);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_has_expired_is_the_end_of_it() {
    let authority = Authority::new();
    let trusting = Http::new(TIMEOUT, Some(authority.pem.as_bytes())).unwrap();
    for (leaf, http, says) in [
        (authority.good(), http(TIMEOUT), "UnknownIssuer"),
        (authority.expired(), trusting, "expired"),
        (Authority::new().good(), Http::new(TIMEOUT, Some(authority.pem.as_bytes())).unwrap(), "UnknownIssuer"),
    ] {
        let server = MessageServer::start_with(&leaf).await;
        let begin = Instant::now();
        for channel in channels(&server.url(""), &http) {
            let error = send(&channel).await.unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!((error.kind().as_str(), error.retryable(), error.may_have_arrived()), ("tls", false, false), "{error}");
        }
        assert!(begin.elapsed() < TIMEOUT, "it was tried once");
        assert!(server.received().is_empty());
    }
}

#[tokio::test]
async fn who_asks_to_wait_is_asked_again_after_that() {
    let server = MessageServer::start().await;
    for channel in channels(&server.url(""), &http(TIMEOUT)) {
        let before = server.received().len();
        server.next([Trouble::Answer(429, "rate_limited", Some("2")), Trouble::Answer(503, "busy", None)]);
        send(&channel).await.unwrap();
        let requests = server.received().split_off(before);
        assert_eq!(requests.len(), 3);
        assert!(requests[1].at - requests[0].at >= Duration::from_secs(2));
    }
}

#[tokio::test]
async fn who_asks_to_wait_for_too_long_is_left_to_the_next_run() {
    let server = MessageServer::start().await;
    server.always(Trouble::Answer(429, "rate_limited", Some("3600")));
    let begin = Instant::now();
    assert_eq!(kinds(&failures(&server, TIMEOUT).await), ["status 429"; 3]);
    assert!(begin.elapsed() < TIMEOUT);
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn a_service_that_fails_for_ever_is_given_up_in_time() {
    let server = MessageServer::start().await;
    server.always(Trouble::Echo(500));
    let timeout = Duration::from_secs(2);
    let begin = Instant::now();
    let failures = failures(&server, timeout).await;
    assert!(begin.elapsed() < 3 * timeout + Duration::from_secs(3), "{:?}", begin.elapsed());
    assert_eq!(kinds(&failures), ["status 500"; 3]);
    assert!(server.received().len() > 6, "{}", server.received().len());
    assert!(failures.iter().all(SendError::may_have_arrived), "nobody knows what a failing service did before it failed");
}

#[tokio::test]
async fn what_is_refused_is_tried_once() {
    let server = MessageServer::start().await;
    server.always(Trouble::Echo(403));
    assert_eq!(kinds(&failures(&server, TIMEOUT).await), ["status 403"; 3]);
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn slack_says_ok_or_it_is_no_delivery() {
    let server = MessageServer::start().await;
    let slack = slack_at(&server.url(SLACK_PATH), http(TIMEOUT));
    for (status, answer, kind) in [
        (200, "no_service", "no_service"),
        (404, "no_service", "no_service"),
        (403, "action_prohibited", "action_prohibited"),
        (410, "channel_is_archived", "channel_is_archived"),
        (200, "", "status 200"),
        (200, "<html>Welcome to the hotel's network</html>", "status 200"),
        (202, "ok", "status 202"),
    ] {
        server.next([Trouble::Answer(status, answer, None)]);
        let error = send(&slack).await.unwrap_err();
        assert_eq!((error.kind().as_str(), error.retryable()), (kind, false), "{error}");
    }
    assert_eq!(server.received().len(), 7);
}

#[tokio::test]
async fn a_hang_is_bounded_and_what_comes_after_it_says_that_it_may_be_a_repetition() {
    let server = MessageServer::start().await;
    let timeout = Duration::from_secs(3);
    for channel in channels(&server.url(""), &http(timeout)) {
        let before = server.received().len();
        server.next([Trouble::Hang]);
        send(&channel).await.unwrap();
        let requests = server.received().split_off(before);
        assert_eq!(requests.len(), 2, "{}", channel.name());
        let [first, second] = [0, 1].map(|at| requests[at].body.to_string());
        match channel.name() {
            ChannelName::Slack => assert!(!first.contains("repetition") && second.contains("may be a repetition"), "{second}"),
            ChannelName::Webhook => {
                assert_eq!([0, 1].map(|at| requests[at].body["may_be_repeated"].as_bool().unwrap()), [false, true]);
                assert_eq!(requests[0].headers["idempotency-key"], requests[1].headers["idempotency-key"]);
            }
            _ => assert_eq!(first, second, "the key tells"),
        }
    }
    server.always(Trouble::Hang);
    let begin = Instant::now();
    let failures = failures(&server, timeout).await;
    assert_eq!(kinds(&failures), ["timeout"; 3]);
    assert!(failures.iter().all(SendError::may_have_arrived));
    assert!(begin.elapsed() < 3 * timeout + Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn who_takes_connections_and_says_nothing_is_given_up_in_time() {
    let server = Faulty::silent().await;
    let timeout = Duration::from_secs(2);
    for base in ["http", "https"].map(|scheme| format!("{scheme}://{}", server.address)) {
        for channel in channels(&base, &http(timeout)) {
            let begin = Instant::now();
            let error = send(&channel).await.unwrap_err();
            assert_eq!(error.kind(), "timeout", "{error}");
            assert!(begin.elapsed() < timeout + Duration::from_secs(1), "{:?}", begin.elapsed());
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again() {
    let server = MessageServer::start().await;
    let slack = slack_at(&server.url(SLACK_PATH), http(TIMEOUT));
    server.next([Trouble::Reset]);
    send(&slack).await.unwrap();
    assert_eq!(server.received().len(), 2);
    assert!(server.received()[1].body.to_string().contains("may be a repetition"));
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for channel in channels(&format!("http://{nobody}"), &http(Duration::from_secs(1))) {
        let error = send(&channel).await.unwrap_err();
        assert_eq!((error.kind().as_str(), error.may_have_arrived()), ("connection", false), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (server, elsewhere) = (MessageServer::start().await, MessageServer::start().await);
    server.always(Trouble::Redirect(elsewhere.url(SLACK_PATH)));
    let failures = failures(&server, TIMEOUT).await;
    assert_eq!(kinds(&failures), ["redirect"; 3]);
    assert!(failures[0].to_string().contains("302, a redirect, which is not followed"), "{}", failures[0]);
    assert!(elsewhere.received().is_empty());
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let server = MessageServer::start().await;
    server.always(Trouble::Endless(400));
    assert_eq!(kinds(&failures(&server, TIMEOUT).await), ["status 400"; 3]);
    assert_eq!(server.received().len(), 3);
}
