//! Email through a real mail server: encrypted, logged in, threaded, taken or refused. After every failure: nothing that was said holds
//! the password.

use std::time::{Duration, Instant};

use bytes::Bytes;
use drift_check::notify::email::{Email, Settings, Tls};
use drift_check::notify::{Channel, Envelope, Hidden, Notification, SendError};
use drift_check::retry::Transient;
use serde_json::Value;

use crate::authority::{Authority, Leaf};
use crate::faulty::Faulty;
use crate::mail_server::{Kind, MailServer};
use crate::sample_notification as sample;

const PASSWORD: &str = "smtp-password-of-the-test";
const LOGIN: [&str; 2] = ["drift", PASSWORD];

/// Long enough for a loaded machine to answer within a third of it.
const TIMEOUT: Duration = Duration::from_secs(15);

fn envelope() -> Envelope {
    Envelope { message_id: "0197-email-opened".to_owned(), may_be_repeated: false, report: None }
}

struct Sender {
    settings: Settings,
}

impl Sender {
    fn new(port: u16, tls: Tls) -> Self {
        let settings = Settings {
            smtp: format!("127.0.0.1:{port}"),
            tls,
            from: "drift-check <drift@ml.example>".to_owned(),
            to: vec!["a@b.example".to_owned(), "On call <c@d.example>".to_owned()],
            login: None,
            authorities: None,
            attach_report: true,
            timeout: TIMEOUT,
        };
        Self { settings }
    }

    fn login(mut self, password: &str) -> Self {
        self.settings.login = Some((LOGIN[0].to_owned(), Hidden::new(password)));
        self
    }

    fn trusting(mut self, authority: &Authority) -> Self {
        self.settings.authorities = Some(authority.pem.clone().into_bytes());
        self
    }

    fn within(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    async fn send(&self, notification: &Notification, envelope: &Envelope) -> Result<(), SendError> {
        let channel = Channel::Email(Box::new(Email::new(&self.settings).unwrap()));
        let result = channel.send(notification, envelope).await;
        let mut said = format!("{result:?} {channel:?} {:?} {}", self.settings, channel.preview(notification, envelope));
        if let Err(error) = &result {
            said = format!("{said} {error} {}", error.kind());
            assert!(!error.to_string().contains('@'), "an address: {error}");
        }
        for secret in [PASSWORD, "wrong-password"] {
            assert!(!said.contains(secret), "{secret} in {said}");
        }
        result
    }

    async fn opened(&self) -> Result<(), SendError> {
        self.send(&sample::opened(), &envelope()).await
    }
}

fn encrypted<'a>(tls: &'static str, leaf: &'a Leaf) -> Kind<'a> {
    Kind { tls, leaf: Some(leaf), login: Some(LOGIN), ..Kind::open() }
}

fn header<'a>(mail: &'a Value, name: &str) -> Option<&'a str> {
    let mut found = mail["headers"].as_array().unwrap().iter().filter(|header| header[0] == name);
    let value = found.next().map(|header| header[1].as_str().unwrap());
    assert!(found.next().is_none(), "{name} stands twice");
    value
}

#[tokio::test]
async fn mail_goes_out_encrypted_and_logged_in() {
    let authority = Authority::new();
    let leaf = authority.good();
    for (name, tls) in [("starttls", Tls::Starttls), ("implicit", Tls::Implicit)] {
        let server = MailServer::start(&encrypted(name, &leaf));
        Sender::new(server.port, tls).login(PASSWORD).trusting(&authority).opened().await.unwrap();
        let mail = &server.received()[0];
        assert_eq!((&mail["tls"], &mail["user"], &mail["hello"]), (&true.into(), &"drift".into(), &"ml.example".into()));
        assert_eq!((&mail["from"], &mail["to"]), (&"drift@ml.example".into(), &serde_json::json!(["a@b.example", "c@d.example"])));
    }
}

#[tokio::test]
async fn both_forms_and_the_report_arrive_as_they_were_written() {
    let server = MailServer::start(&Kind::open());
    let sender = Sender::new(server.port, Tls::None);
    // Larger than a line, with every byte that mail treats in its own way.
    let report = format!("<!doctype html>\r\n.\r\n{}\n.hidden\n🔴 é\n", "<p>x</p>".repeat(50_000));
    let with_report = Envelope { report: Some(Bytes::from(report.clone())), ..envelope() };
    sender.send(&sample::opened(), &with_report).await.unwrap();
    let mail = &server.received()[0];
    assert_eq!(
        mail["structure"],
        serde_json::json!(["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/html"])
    );
    let [plain, html, attached] = [0, 1, 2].map(|at| &mail["parts"][at]);
    assert!(plain["text"].as_str().unwrap().contains("glcm_contrast_mean (drift): median 41.2 → 52.9"));
    assert!(html["text"].as_str().unwrap().contains("Open the report"));
    assert_eq!(attached["name"], "report.html");
    assert_eq!(attached["bytes"], report.len());
    assert_eq!(attached["sha256"], sha256(report.as_bytes()));

    let bare = Sender { settings: Settings { attach_report: false, ..sender.settings } };
    bare.send(&sample::opened(), &with_report).await.unwrap();
    assert_eq!(server.received()[1]["structure"], serde_json::json!(["multipart/alternative", "text/plain", "text/html"]));
}

fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn the_messages_of_an_incident_belong_together_and_a_repetition_is_the_same_message() {
    let server = MailServer::start(&Kind::open());
    let sender = Sender::new(server.port, Tls::None);
    let again = Envelope { may_be_repeated: true, ..envelope() };
    let later = Envelope { message_id: "0198-email-worsened".to_owned(), ..envelope() };
    sender.opened().await.unwrap();
    sender.send(&sample::opened(), &again).await.unwrap();
    sender.send(&sample::worsened(), &later).await.unwrap();
    sender.send(&Notification { since: chrono::DateTime::UNIX_EPOCH, ..sample::opened() }, &later).await.unwrap();
    let [opened, repeated, worsened, other] = [0, 1, 2, 3].map(|at| server.received()[at].clone());

    assert_eq!(header(&opened, "Message-ID"), Some("<0197-email-opened@ml.example>"));
    assert_eq!(header(&repeated, "Message-ID"), header(&opened, "Message-ID"));
    assert!(!opened.to_string().contains("may be a repetition") && repeated.to_string().contains("may be a repetition"));

    let incident = header(&opened, "References").unwrap();
    assert!(incident.starts_with("<incident-") && incident.ends_with("@ml.example>"), "{incident}");
    assert_eq!(header(&opened, "In-Reply-To"), None);
    assert_eq!((header(&worsened, "References"), header(&worsened, "In-Reply-To")), (Some(incident), Some(incident)));
    assert_ne!(header(&other, "References"), Some(incident), "another incident of the same signal");

    assert_eq!(header(&opened, "From"), Some("drift-check <drift@ml.example>"));
    assert_eq!(header(&opened, "To"), Some("a@b.example, On call <c@d.example>"));
    assert_eq!(header(&opened, "Subject"), Some("P1 data-drift opened: ct-scan (prod)"));
    assert_eq!(header(&opened, "Auto-Submitted"), Some("auto-generated"));
    assert!(header(&opened, "Date").is_some());
}

#[tokio::test]
async fn nothing_in_a_message_becomes_a_header_or_a_receiver() {
    let server = MailServer::start(&Kind::open());
    let sender = Sender::new(server.port, Tls::None);
    let hostile = Envelope { message_id: sample::HOSTILE.to_owned(), ..envelope() };
    for notification in [sample::hostile(), sample::endless()] {
        sender.send(&notification, &hostile).await.unwrap();
    }
    for mail in server.received() {
        assert_eq!(mail["to"], serde_json::json!(["a@b.example", "c@d.example"]));
        assert_eq!(header(&mail, "Bcc"), None);
        let subject = header(&mail, "Subject").unwrap();
        assert!(subject.encode_utf16().count() <= 120 && !subject.contains(char::is_control), "{subject}");
        assert!(!mail["parts"][1]["text"].as_str().unwrap().contains("<script"));
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_once_and_not_repeated() {
    let authority = Authority::new();
    let leaf = authority.good();
    let server = MailServer::start(&encrypted("starttls", &leaf));
    let begin = Instant::now();
    let error = Sender::new(server.port, Tls::Starttls).login("wrong-password").trusting(&authority).opened().await.unwrap_err();
    assert_eq!((error.kind().as_str(), error.retryable()), ("login", false));
    assert_eq!(error.to_string(), "email did not take the message: its server refused name and password (535)");
    assert!(begin.elapsed() < TIMEOUT / 2);
    let anonymous = Sender::new(server.port, Tls::Starttls).trusting(&authority).opened().await.unwrap_err();
    assert_eq!(anonymous.kind(), "refused", "{anonymous}");
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_refused_receiver_is_an_error_and_the_others_get_the_message() {
    let one = MailServer::start(&Kind { refused: &["c@d.example"], ..Kind::open() });
    let error = Sender::new(one.port, Tls::None).opened().await.unwrap_err();
    assert_eq!((error.kind().as_str(), error.retryable(), error.may_have_arrived()), ("refused", false, true));
    insta::assert_snapshot!(error, @"email did not take the message: its server refused receiver 2 of 2 (550): 5.1.1 [address] no such user; 1 of 2 receivers did not get it, the others did");
    assert_eq!(one.received().len(), 1);
    assert_eq!(one.received()[0]["to"], serde_json::json!(["a@b.example"]));

    let all = MailServer::start(&Kind { refused: &["a@b.example", "c@d.example"], ..Kind::open() });
    let error = Sender::new(all.port, Tls::None).opened().await.unwrap_err();
    assert_eq!((error.kind().as_str(), error.retryable(), error.may_have_arrived()), ("refused", false, false));
    assert!(all.received().is_empty());

    let later = MailServer::start(&Kind { deferred: &["a@b.example", "c@d.example"], ..Kind::open() });
    let error = Sender::new(later.port, Tls::None).within(Duration::from_secs(3)).opened().await.unwrap_err();
    assert_eq!((error.kind().as_str(), error.retryable(), error.may_have_arrived()), ("deferred", true, false), "{error}");
}

#[tokio::test]
async fn what_is_put_off_is_tried_again_and_what_is_refused_is_not() {
    let once = MailServer::start(&Kind { trouble: "defers-once", ..Kind::open() });
    Sender::new(once.port, Tls::None).opened().await.unwrap();
    assert_eq!(once.received().len(), 1);
    let spam = MailServer::start(&Kind { trouble: "rejects-content", ..Kind::open() });
    let error = Sender::new(spam.port, Tls::None).opened().await.unwrap_err();
    assert_eq!((error.kind().as_str(), error.retryable()), ("refused", false), "{error}");
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_without_starttls() {
    let server = MailServer::start(&Kind::open());
    let error = Sender::new(server.port, Tls::Starttls).login(PASSWORD).opened().await.unwrap_err();
    assert_eq!((error.kind().as_str(), error.retryable()), ("tls", false));
    assert!(error.to_string().ends_with("its server offers no STARTTLS, and nothing is sent without encryption"), "{error}");
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_who_it_says_it_is_gets_nothing() {
    let authority = Authority::new();
    for (name, tls) in [("starttls", Tls::Starttls), ("implicit", Tls::Implicit)] {
        for (leaf, says) in [(Authority::new().good(), "UnknownIssuer"), (authority.expired(), "expired")] {
            let server = MailServer::start(&encrypted(name, &leaf));
            let error = Sender::new(server.port, tls).login(PASSWORD).trusting(&authority).opened().await.unwrap_err();
            assert_eq!((error.kind().as_str(), error.retryable(), error.may_have_arrived()), ("tls", false, false), "{error}");
            assert!(error.to_string().contains(says), "{error}");
            assert!(server.received().is_empty());
        }
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time() {
    let timeout = Duration::from_secs(3);
    let silent = Faulty::silent().await;
    for tls in [Tls::Starttls, Tls::Implicit] {
        let begin = Instant::now();
        let error = Sender::new(silent.address.port(), tls).within(timeout).opened().await.unwrap_err();
        assert_eq!((error.kind().as_str(), error.may_have_arrived()), ("timeout", false), "{error}");
        assert!(begin.elapsed() < timeout + Duration::from_secs(2), "{:?}", begin.elapsed());
    }
    let at_data = MailServer::start(&Kind { trouble: "hangs-at-data", ..Kind::open() });
    let error = Sender::new(at_data.port, Tls::None).within(timeout).opened().await.unwrap_err();
    assert_eq!((error.kind().as_str(), error.may_have_arrived()), ("timeout", true), "it had all of the message");
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = Sender::new(nobody.port(), Tls::None).within(timeout).opened().await.unwrap_err();
    assert_eq!((error.kind().as_str(), error.may_have_arrived()), ("connection", false), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_say_good_bye_has_taken_the_message_all_the_same() {
    let server = MailServer::start(&Kind { trouble: "hangs-at-quit", ..Kind::open() });
    Sender::new(server.port, Tls::None).opened().await.unwrap();
    assert_eq!(server.received().len(), 1);
}
