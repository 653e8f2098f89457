//! From what the client, the connection or the service reports to the failures that the job knows, with their remedies.

use std::error::Error;
use std::time::Duration;

use google_cloud_gax::error::CredentialsError;
use google_cloud_storage::http::HeaderMap;

use super::client::Client;
use crate::bucket::fault::{Fault, ServiceError};

/// What was asked when something failed.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub client: &'a Client,
    pub bucket: &'a str,
    /// `list`, `read`, `write`, `delete`, …
    pub action: &'static str,
    pub uri: String,
}

/// The text of the service that is shown; more than one sentence of it is page furniture.
const SHOWN_CHARS: usize = 300;

impl Asked<'_> {
    pub fn failed(&self, fault: Fault, detail: String) -> ServiceError {
        let remedy = self.remedy(fault);
        ServiceError { action: self.action, uri: self.uri.clone(), fault, detail, remedy, retry_after: None, tries: 1 }
    }

    fn remedy(&self, fault: Fault) -> String {
        let bucket = self.bucket;
        match fault {
            Fault::Refused if matches!(self.action, "write" | "delete") => format!(
                "grant roles/storage.objectUser on gs://{bucket}, at least under the report prefix, to the identity of the job ({})",
                self.client.identity()
            ),
            Fault::Refused => {
                format!("grant roles/storage.objectViewer on gs://{bucket} to the identity of the job ({})", self.client.identity())
            }
            Fault::NoBucket => "correct bucket.uri (--bucket)".to_owned(),
            Fault::Credentials { .. } => self.client.identity().remedy(),
            Fault::Busy | Fault::Silent => "run again later; bucket.timeout says how long to keep trying".to_owned(),
            Fault::Unreachable => "check the network and bucket.endpoint".to_owned(),
            Fault::Corrupt => "run again; if it stays, the object has to be written anew".to_owned(),
            Fault::Precondition => "somebody else writes there too; run again".to_owned(),
            Fault::Unexpected => "check bucket.uri and bucket.endpoint, and run again".to_owned(),
            Fault::NoObject => String::new(),
        }
    }

    pub fn silent(&self, patience: Duration) -> ServiceError {
        self.failed(Fault::Silent, format!("no answer from {} within {patience:?}", self.client.endpoint()))
    }

    pub fn of_status(&self, status: u16, headers: Option<&HeaderMap>, body: &[u8]) -> ServiceError {
        let message = message(body);
        let fault = match status {
            401 | 403 => Fault::Refused,
            404 if self.is_about_the_bucket(&message) => Fault::NoBucket,
            404 => Fault::NoObject,
            // 304 answers a conditional read, 412 a conditional write.
            304 | 412 => Fault::Precondition,
            408 | 429 | 500..=599 => Fault::Busy,
            _ => Fault::Unexpected,
        };
        let detail = match fault {
            Fault::NoBucket => format!("there is no bucket `{}`", self.bucket),
            Fault::NoObject => "there is no such object any more".to_owned(),
            _ if message.is_empty() => format!("{} answered {status}", self.client.endpoint()),
            _ => format!("{} answered {status}: {message}", self.client.endpoint()),
        };
        let mut error = self.failed(fault, detail);
        if status == 401 {
            error.remedy = self.client.identity().remedy();
        }
        error.retry_after =
            headers.and_then(|headers| headers.get("retry-after")?.to_str().ok()).and_then(crate::retry::asked_pause);
        error
    }

    /// A listing or a write of an unknown object can only miss the bucket; a read is told apart by the words of the service.
    fn is_about_the_bucket(&self, message: &str) -> bool {
        let message = message.to_lowercase();
        !matches!(self.action, "read" | "delete") || message.contains("specified bucket") || message.starts_with("bucket ")
    }

    pub fn of_client(&self, error: &google_cloud_storage::Error) -> ServiceError {
        if let Some(status) = error.http_status_code() {
            let text = error.status().map(|status| status.message.clone());
            let body = error.http_payload().map(|payload| payload.to_vec()).or(text.map(String::into_bytes));
            return self.of_status(status, error.http_headers(), &body.unwrap_or_default());
        }
        if let Some(error) = error.source().and_then(|source| source.downcast_ref::<CredentialsError>()) {
            return self.of_credentials(error);
        }
        if error.is_timeout() {
            return self.failed(Fault::Silent, format!("no answer from {} in time", self.client.endpoint()));
        }
        // It may have been written: another attempt finds out.
        if self.action == "write" && error.is_deserialization() {
            let detail =
                format!("the answer of {} was cut short or makes no sense: {}", self.client.endpoint(), short(&causes(error)));
            return self.failed(Fault::Unreachable, detail);
        }
        let fault =
            if error.is_connect() || error.is_io() || error.is_transport() { Fault::Unreachable } else { Fault::Unexpected };
        self.failed(fault, format!("{}: {}", self.client.endpoint(), short(&causes(error))))
    }

    pub fn of_connection(&self, error: reqwest::Error) -> ServiceError {
        let fault = if error.is_builder() { Fault::Unexpected } else { Fault::Unreachable };
        // The address of the request is long and says nothing that the URI does not.
        self.failed(fault, format!("{}: {}", self.client.endpoint(), short(&causes(&error.without_url()))))
    }

    pub fn of_credentials(&self, error: &CredentialsError) -> ServiceError {
        let fault = Fault::Credentials { transient: error.is_transient() };
        self.failed(fault, format!("no credentials from {}: {}", self.client.identity(), without_body(&causes(error))))
    }
}

/// The message in Google's error form, or the text itself, on one line.
fn message(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = inner_message(&text, 0).unwrap_or_else(|| text.into_owned());
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect()
}

/// The innermost message of an error in JSON: services wrap one form into another.
fn inner_message(text: &str, depth: u8) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(text).ok().filter(serde_json::Value::is_object)?;
    let error = json.get("error").unwrap_or(&json);
    let message = error.get("message").or_else(|| error.get("errors")?.get(0)?.get("message"))?.as_str()?;
    let inner = if depth < 3 { inner_message(message, depth + 1) } else { None };
    Some(inner.unwrap_or_else(|| message.to_owned()))
}

/// An error with its causes on one line.
fn causes(error: &dyn Error) -> String {
    crate::causes::causes(error).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn short(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

/// A message of the credentials' client without the answer that it quotes, which may hold a secret; of OAuth's errors, their words
/// are kept.
fn without_body(text: &str) -> String {
    let Some((before, quoted)) = text.split_once("body=<") else { return short(text) };
    let json = serde_json::Deserializer::from_str(quoted).into_iter::<serde_json::Value>().next().and_then(Result::ok);
    let word = |name: &str| json.as_ref().and_then(|json| json.get(name)?.as_str().map(str::to_owned));
    let words: Vec<String> = ["error", "error_description"].into_iter().filter_map(word).collect();
    let head = before.trim_end_matches([' ', ',']);
    if words.is_empty() { short(head) } else { format!("{}: {}", short(head), words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_the_service_is_found_and_kept_short() {
        let google = br#"{"error":{"code":403,"message":"a@b does not have\n storage.objects.list access","errors":[]}}"#;
        assert_eq!(message(google), "a@b does not have storage.objects.list access");
        assert_eq!(message(b"No such object: b/o\n"), "No such object: b/o");
        let wrapped = br#"{"code":404,"message":"{\"error\":{\"errors\":[{\"message\":\"Bucket x does not exist.\"}]}}"}"#;
        assert_eq!(message(wrapped), "Bucket x does not exist.");
        assert_eq!(message(&[b'x'; 5_000]).len(), SHOWN_CHARS);
        assert_eq!(message(&[0xFF, 0x07]), "\u{FFFD}");
    }

    #[test]
    fn the_answer_of_a_token_service_is_not_repeated() {
        let text = r#"cannot refresh, body=<{"error":"invalid_grant","error_description":"Token revoked.","access_token":"x"}>"#;
        assert_eq!(without_body(text), "cannot refresh: invalid_grant, Token revoked.");
        assert_eq!(without_body("failed, body=<secret>: more"), "failed");
        assert_eq!(without_body("no answer"), "no answer");
    }
}
