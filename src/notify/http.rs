//! Messages over HTTP: one client, secret addresses, and what an answer means.
//!
//! No redirect is followed: it would carry a secret to another address. Plain `http` is for this machine only.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Response, Url, redirect};

use super::attempt::{Handover, share};
use super::error::{SHOWN_CHARS, causes, is_tls};
use super::hidden::{Hidden, REDACTED};
use super::words::shown;
use super::{ChannelName, Fault, SendError};
use crate::retry;

/// How much of an answer is read, in bytes: services answer with a word or a small object.
const ANSWER_BYTES: usize = 4_096;

/// The address of a service, which often is a secret itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "is not an address")?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err("is not an https address");
        }
        if !is_secure(text) {
            return Err("is an address without encryption: write https");
        }
        Ok(Self(url))
    }

    /// A text from outside without this address or a telling part of it.
    fn scrub(&self, text: &str) -> String {
        let clean = Hidden::new(self.0.as_str()).scrub(text);
        // It is sent as a header, in base64 with the name before it.
        self.0.password().map_or(clean.clone(), |password| Hidden::new(password).scrub(&clean))
    }
}

/// Scheme and host only.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.0.port().map(|port| format!(":{port}")).unwrap_or_default();
        write!(f, "{}://{}{port}/{REDACTED}", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Whether what is sent to an address is encrypted on its way, or does not leave this machine.
pub fn is_secure(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| match url.scheme() {
        "https" => true,
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    })
}

/// Whether a host is this machine.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The client of all channels that speak HTTP.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    pub(super) timeout: Duration,
}

impl Http {
    /// `timeout`: how long one delivery may take with its retries. `authorities`: certificates, in PEM, that are trusted beside those
    /// of the system.
    ///
    /// # Errors
    /// What is wrong with the certificates, or why there can be no client.
    pub fn new(timeout: Duration, authorities: Option<&[u8]>) -> Result<Self, String> {
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(share(timeout).mul_f64(0.8))
            .timeout(timeout)
            .user_agent(concat!("drift-check/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = authorities {
            let certificates = Certificate::from_pem_bundle(pem).map_err(|_| "holds no certificates in PEM")?;
            if certificates.is_empty() {
                return Err("holds no certificate in PEM".to_owned());
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|error| format!("cannot be used: {}", causes(&error)))?;
        Ok(Self { client, timeout })
    }

    /// Sends a body and reads the status, and the beginning of what else is answered unless it was taken (`taken`).
    pub(super) async fn post(&self, post: Post<'_>, handover: &Handover, taken: impl Fn(u16) -> bool) -> Result<Answer, SendError> {
        let Post { channel, address, headers, body } = post;
        let headers = header_map(channel, headers)?;
        handover.begins();
        let sent = self.client.post(address.0.clone()).headers(headers).body(body).send().await;
        let response = sent.map_err(|error| failed(channel, error))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).and_then(retry::asked_pause);
        let mut answer = Answer { channel, status, retry_after, text: String::new() };
        if !taken(status) {
            answer.text = address.scrub(&beginning(response, channel).await?);
        }
        Ok(answer)
    }
}

/// What is sent.
pub(super) struct Post<'a> {
    pub channel: ChannelName,
    pub address: &'a Address,
    /// Beside `Content-Type: application/json`.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

fn header_map(channel: ChannelName, headers: Vec<(&'static str, String)>) -> Result<HeaderMap, SendError> {
    let mut map = HeaderMap::new();
    map.insert("content-type", HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        let unfit = |_| SendError::new(channel, Fault::Message, format!("the header {name} cannot hold its value"));
        map.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).map_err(unfit)?);
    }
    Ok(map)
}

/// What came back.
pub(super) struct Answer {
    channel: ChannelName,
    pub status: u16,
    retry_after: Option<Duration>,
    /// The beginning of it; empty where it was not read.
    pub text: String,
}

impl Answer {
    /// The answer as an error, with what the service says in it.
    pub fn refused(self, fault: Fault, says: &str) -> SendError {
        let status = self.status;
        let (fault, detail) = match status {
            300..=399 => {
                let detail = format!("it answered {status}, a redirect, which is not followed: give the address that it leads to");
                (Fault::Redirect, detail)
            }
            _ if says.trim().is_empty() => (fault, format!("it answered {status}")),
            _ => (fault, format!("it answered {status}: {}", shown(says, SHOWN_CHARS))),
        };
        // A service that failed, or a gateway before it, may have passed the message on.
        SendError::new(self.channel, fault, detail).after(self.retry_after).perhaps_arrived(status >= 500)
    }
}

async fn beginning(mut response: Response, channel: ChannelName) -> Result<String, SendError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(channel, error))? {
        let room = ANSWER_BYTES.saturating_sub(bytes.len());
        bytes.extend(chunk.iter().take(room));
        if chunk.len() >= room {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Why there is no answer. The address stays out of it.
fn failed(channel: ChannelName, error: reqwest::Error) -> SendError {
    let error = error.without_url();
    let fault = match &error {
        error if is_tls(error) => Fault::Tls,
        error if error.is_timeout() => Fault::Timeout,
        error if error.is_builder() => Fault::Message,
        _ => Fault::Connection,
    };
    let arrived = !(error.is_connect() || error.is_builder());
    let detail = if fault == Fault::Timeout { "no answer in time".to_owned() } else { causes(&error) };
    SendError::new(channel, fault, detail).perhaps_arrived(arrived)
}

/// A request as a dry run shows it.
pub(super) fn preview(address: &dyn fmt::Display, headers: &[(&'static str, String)], body: &serde_json::Value) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("POST {address}\ncontent-type: application/json\n{headers}\n{body:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_encrypted_or_of_this_machine() {
        for fine in ["https://hooks.slack.com/services/T/B/x", "http://127.0.0.1:8080/x", "http://localhost/", "http://[::1]:1/"] {
            assert!(Address::parse(fine).is_ok(), "{fine}");
        }
        for wrong in ["", "hooks.slack.com/x", "http://hooks.slack.com/x", "ftp://127.0.0.1/", "https://", "file:///etc/passwd"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
        assert!(!is_loopback("127.0.0.1.example.com"));
    }

    #[test]
    fn an_address_is_shown_without_what_is_secret_in_it() {
        let address = Address::parse("https://user:pass@hooks.example.com:8443/services/T0/B0?token=abc").unwrap();
        assert_eq!(format!("{address:?}"), "Address(https://hooks.example.com:8443/[redacted])");
    }
}
