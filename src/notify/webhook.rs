//! A webhook of the installation's own: the notification as JSON, with a key by which a repetition is known, and a signature.

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;

use super::attempt::{Handover, deliver};
use super::http::{self, Address, Http, Post};
use super::{ChannelName, Envelope, Fault, Hidden, Notification, PAYLOAD_VERSION, SendError, words};

/// Somebody else's address.
#[derive(Clone, Debug)]
pub struct Webhook {
    address: Address,
    /// Where the address is kept, such as `env:DRIFT_WEBHOOK`.
    source: String,
    /// Signs every message.
    secret: Option<Hidden>,
    http: Http,
}

impl Webhook {
    pub fn new(address: Address, source: impl Into<String>, secret: Option<Hidden>, http: Http) -> Self {
        Self { address, source: source.into(), secret, http }
    }

    pub(super) fn receiver(&self) -> String {
        format!("webhook ({})", self.source)
    }

    pub(super) fn preview(&self, notification: &Notification, envelope: &Envelope) -> String {
        let mut headers = vec![("idempotency-key", words::token(&envelope.message_id))];
        if self.secret.is_some() {
            headers.push((TIMESTAMP, "[the moment of sending]".to_owned()));
            headers.push((SIGNATURE, "sha256=[computed when it is sent]".to_owned()));
        }
        http::preview(&self.address, &headers, &payload(notification, envelope, envelope.may_be_repeated))
    }

    pub(super) async fn send(&self, notification: &Notification, envelope: &Envelope) -> Result<(), SendError> {
        let handover = Handover::default();
        deliver(ChannelName::Webhook, self.http.timeout, &handover, || async {
            let repeated = envelope.may_be_repeated || handover.may_be_repeated();
            let body = payload(notification, envelope, repeated).to_string().into_bytes();
            let mut headers = vec![("idempotency-key", words::token(&envelope.message_id))];
            if let Some(secret) = &self.secret {
                let timestamp = chrono::Utc::now().timestamp().to_string();
                headers.push((SIGNATURE, signature(secret, &timestamp, &body)));
                headers.push((TIMESTAMP, timestamp));
            }
            let post = Post { channel: ChannelName::Webhook, address: &self.address, headers, body };
            let answer = self.http.post(post, &handover, |status| (200..300).contains(&status)).await?;
            if (200..300).contains(&answer.status) {
                return Ok(());
            }
            let says = self.secret.as_ref().map_or_else(|| answer.text.clone(), |secret| secret.scrub(&answer.text));
            let fault = Fault::Status(answer.status);
            Err(answer.refused(fault, &says))
        })
        .await
    }
}

const TIMESTAMP: &str = "x-drift-check-timestamp";
const SIGNATURE: &str = "x-drift-check-signature";

/// What is sent.
#[derive(Serialize)]
struct Body<'a> {
    version: u32,
    message_id: &'a str,
    may_be_repeated: bool,
    #[serde(flatten)]
    notification: &'a Notification,
}

/// The body: the notification with what belongs to this delivery.
pub fn payload(notification: &Notification, envelope: &Envelope, may_be_repeated: bool) -> Value {
    let body = Body { version: PAYLOAD_VERSION, message_id: &envelope.message_id, may_be_repeated, notification };
    // Texts, numbers and moments: all of them have a form in JSON.
    serde_json::to_value(body).unwrap_or_default()
}

/// `sha256=` and the HMAC-SHA256 (RFC 2104) of timestamp, a point and the body, in hexadecimal: who changes either, or sends an old
/// message again, is found out.
fn signature(secret: &Hidden, timestamp: &str, body: &[u8]) -> String {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()) else { return String::new() };
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("sha256={}", words::hexadecimal(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_other_tools() {
        // python3: hmac.new(b"hunter2", b"1769882400." + b'{"version":1}', "sha256").hexdigest()
        let expected = "sha256=db1d343488287435c2f7afbfbbcb1ca48814853209dc4f71ff9bda84802440fe";
        assert_eq!(signature(&Hidden::new("hunter2"), "1769882400", br#"{"version":1}"#), expected);
    }
}
