//! The rows of email: every step of the dialogue with a mail server, refused, put off, broken.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::engine::{Bench, Heard, Row, Stage};
use super::expected::{Expected, Told};
use super::setting;
use crate::authority::{Authority, Leaf};
use crate::faulty::Faulty;
use crate::faulty::http::cutting;
use crate::faulty::smtp::{self, Fault, Step};
use crate::mail_server::{Kind, MailServer};

const PART: &str = "channel: email";

/// What is in the way.
#[derive(Clone, Copy, Debug)]
enum Way {
    At(Step, Fault),
    Refused,
    /// After so many bytes of the server's; with a reset, or with an end.
    Cut(u64, bool),
    /// An authority that nobody knows.
    Untrusted,
    Expired,
    /// The server offers no encryption, and the channel wants it.
    Unencrypted,
}

pub fn rows() -> Vec<Row> {
    let row = |(fault, way, expected): (&str, Way, Expected)| Row {
        part: PART,
        fault: fault.to_owned(),
        expected,
        stage: Box::new(move |bench| stage(bench, way)),
    };
    faults().into_iter().map(row).collect()
}

fn faults() -> Vec<(&'static str, Way, Expected)> {
    // Tried again at once; refused for good; and what is unknown where the text had been sent.
    let again = |words: &'static str| Expected::stays_undelivered(&["data-drift by email", words, NEXT_RUN]);
    let once = |words: &'static str| Expected::is_not_delivered(&["data-drift by email", words, NEXT_RUN]);
    let says = |step, line| Way::At(step, Fault::Says(line));
    vec![
        ("connection refused", Way::Refused, again(NETWORK)),
        ("reset before the greeting", Way::Cut(0, true), again(NETWORK)),
        ("truncated before the greeting", Way::Cut(0, false), again(NETWORK)),
        ("truncated in the greeting", Way::Cut(5, false), again(NETWORK)),
        ("554 as the greeting", says(Step::Greeting, "554 5.3.2 go away"), once("refused the connection (554)")),
        ("421 as the greeting", says(Step::Greeting, "421 4.3.2 busy"), again("refused the connection (421)")),
        ("black hole: never a greeting", Way::At(Step::Greeting, Fault::Silent), again(NETWORK)),
        ("latency of 300ms", Way::At(Step::Greeting, Fault::Late(Duration::from_millis(300))), Expected::passes()),
        ("an endless line", Way::At(Step::Greeting, Fault::Endless), again("the server talks without end")),
        ("550 to EHLO", says(Step::Ehlo, "550 5.7.1 not you"), once("refused the connection (550)")),
        ("550 to the sender", says(Step::Mail, "550 5.1.8 no such sender"), once("refused the sender (550)")),
        ("451 to the sender", says(Step::Mail, "451 4.3.0 later"), again("refused the sender (451)")),
        ("550 to the receiver", says(Step::Rcpt, "550 5.1.1 no such user"), once("refused receiver 1 of 1 (550)")),
        ("450 to the receiver", says(Step::Rcpt, "450 4.2.0 greylisted"), again("refused receiver 1 of 1 (450)")),
        ("552 to DATA", says(Step::Data, "552 5.2.2 full"), once("refused the message (552)")),
        ("452 to DATA", says(Step::Data, "452 4.3.1 full for now"), again("refused the message (452)")),
        ("554 to the text", says(Step::Text, "554 5.7.1 spam"), once("refused the message (554)")),
        ("451 to the text", says(Step::Text, "451 4.3.0 later"), again("refused the message (451)")),
        ("dropped at the receiver", Way::At(Step::Rcpt, Fault::Ends), again(NETWORK)),
        ("reset at DATA", Way::At(Step::Data, Fault::Resets), again(NETWORK)),
        ("half-open: silence after the text", Way::At(Step::Text, Fault::Silent), again(NETWORK).told(Told::ByTheRerunInDoubt)),
        ("dropped before the receipt, the message taken", Way::At(Step::Receipt, Fault::Ends), again(NETWORK).told(Told::Again)),
        ("a certificate of an unknown authority", Way::Untrusted, once(CERTIFICATE)),
        ("a certificate that has expired", Way::Expired, once(CERTIFICATE)),
        ("no encryption offered", Way::Unencrypted, once("its server offers no STARTTLS")),
    ]
}

const NETWORK: &str = "check the network and the address";
const CERTIFICATE: &str = "check its certificate, or name its authority in channels.ca_file";
const NEXT_RUN: &str = "is tried again by the next run";

fn stage(bench: &Bench, way: Way) -> Stage {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // All rows share a mail server, and each has a receiver of its own.
    let receiver = format!("row-{}@example.com", NEXT.fetch_add(1, Ordering::Relaxed));
    let config = format!("ca_file = \"authority.pem\"\n[channels.email]\nfrom = \"drift@example.com\"\nto = [\"{receiver}\"]\n");
    let workspace = setting::in_folder("email", &config);
    workspace.write("authority.pem", &bench.authority.pem);
    let target = format!("127.0.0.1:{}", bench.mail.port);
    let variables = |port: u16, tls: &str| {
        vec![
            ("DRIFT_CHECK__CHANNELS__EMAIL__SMTP", format!("127.0.0.1:{port}")),
            ("DRIFT_CHECK__CHANNELS__EMAIL__TLS", tls.to_owned()),
        ]
    };
    let encrypted = |leaf: Leaf| MailServer::start(&Kind { tls: "starttls", leaf: Some(&leaf), ..Kind::open() });
    let mut keeps: Vec<Box<dyn std::any::Any>> = Vec::new();
    let mut through = |server: MailServer| {
        let variables = variables(server.port, "starttls");
        keeps.push(Box::new(server));
        (variables, None)
    };
    let at = |proxy: Faulty| (variables(proxy.address.port(), "none"), Some(proxy));
    let (faulty, proxy) = match way {
        Way::At(step, fault) => at(bench.block_on(smtp::start(&target, step, fault))),
        Way::Cut(bytes, resets) => at(bench.block_on(cutting(&target, bytes, resets))),
        Way::Refused => (variables(Faulty::nobody().port(), "none"), None),
        Way::Untrusted => through(encrypted(Authority::new().good())),
        Way::Expired => through(encrypted(bench.authority.expired())),
        Way::Unencrypted => (variables(bench.mail.port, "starttls"), None),
    };
    Stage {
        workspace,
        bucket: None,
        faulty,
        sound: variables(bench.mail.port, "none"),
        mend: Box::new(|_| ()),
        met: Box::new(move || proxy.as_ref().is_none_or(|proxy| proxy.seen() > 0)),
        heard: Box::new(move |bench| heard(&bench.mail, &receiver)),
        elsewhere: None,
        shell: None,
        _keeps: keeps,
    }
}

/// What one receiver has got, as it says of itself.
fn heard(server: &MailServer, receiver: &str) -> Vec<Heard> {
    let is_to = |mail: &Value| mail["to"].as_array().unwrap().iter().any(|to| to == receiver);
    let repeats = |mail: Value| Heard { repeats: mail["parts"].to_string().contains("may be a repetition") };
    server.received().into_iter().filter(is_to).map(repeats).collect()
}
