//! The way to a collector over HTTP: the client that the exporter of OpenTelemetry sends with, its retries, and what an answer means.
//!
//! The exporter works on a thread of its own, without a runtime: requests are made on the runtime of the job. It tells neither why an export
//! failed nor what was left out of it, so that is kept here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, redirect};
use tokio::runtime::Handle;

use super::{Collector, ExportError, Fault};
use crate::causes::causes;
use crate::credentials::{self, MONITORING};
use crate::notify::{Hidden, is_tls};
use crate::report::printable;
use crate::retry::{self, Policy};

/// How much of an answer is read, in bytes: a success is empty or names what was left out.
const ANSWER_BYTES: usize = 65_536;

/// How much of what a collector says is repeated, in characters.
const SHOWN_CHARS: usize = 300;

const PROTOBUF: &str = "application/x-protobuf";

/// Sends to one collector. Its debug form holds no secret: the values of headers are marked as such.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    headers: HeaderMap,
    secrets: Vec<Hidden>,
    is_google: bool,
    timeout: Duration,
    runtime: Handle,
    failure: Arc<Mutex<Option<ExportError>>>,
}

impl Client {
    /// Called within a runtime.
    pub fn new(collector: &Collector) -> Result<Self, ExportError> {
        let unusable = |what: &str| ExportError::new(Fault::Settings, what);
        let mut headers = HeaderMap::new();
        for (name, value) in &collector.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable("a header has no usable name"))?;
            let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| unusable("a header has no usable value"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        let timeout = collector.timeout;
        let mut builder = reqwest::Client::builder()
            // It would carry a secret to another address.
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(share(timeout).mul_f64(0.8))
            .user_agent(concat!("drift-check/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = &collector.authorities {
            let certificates = Certificate::from_pem_bundle(pem).unwrap_or_default();
            if certificates.is_empty() {
                return Err(unusable("metrics.ca_file holds no certificate in PEM"));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(|error| unusable(&causes(&error)))?;
        let secrets = collector.headers.iter().map(|(_, value)| value.clone()).collect();
        let (runtime, failure) = (Handle::current(), Arc::default());
        Ok(Self { http, headers, secrets, is_google: collector.is_google, timeout, runtime, failure })
    }

    /// Why the last request failed, or what of it was rejected.
    pub fn failure(&self) -> Option<ExportError> {
        self.failure.lock().ok().and_then(|mut failure| failure.take())
    }

    /// Tries until it is taken, refused, or too late.
    async fn deliver(&self, url: &str, body: &Bytes) -> Result<Bytes, ExportError> {
        let share = share(self.timeout);
        let attempt = || async {
            let late = |_| Err(ExportError::new(Fault::Timeout, format!("no answer within {:.1} s", share.as_secs_f64())));
            tokio::time::timeout(share, self.attempt(url, body.clone())).await.unwrap_or_else(late)
        };
        retry::run(Policy::within(self.timeout.saturating_sub(share)), attempt).await
    }

    async fn attempt(&self, url: &str, body: Bytes) -> Result<Bytes, ExportError> {
        let mut headers = self.headers.clone();
        if self.is_google {
            for (name, value) in credentials::headers(MONITORING).await.map_err(|what| ExportError::new(Fault::Settings, what))? {
                let unusable = || ExportError::new(Fault::Settings, "the credentials are no header");
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
                headers.insert(name, HeaderValue::from_bytes(&value).map_err(|_| unusable())?);
            }
        }
        let mut response = self.http.post(url).headers(headers).body(body).send().await.map_err(of_connection)?;
        let status = response.status().as_u16();
        if !(200..300).contains(&status) {
            let pause = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).and_then(retry::asked_pause);
            let detail = match status {
                300..=399 => format!("it answered {status}, a redirect, which is not followed"),
                _ => format!("it answered {status}"),
            };
            return Err(ExportError::new(Fault::Status(status), detail).after(pause));
        }
        let is_protobuf = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(PROTOBUF.as_bytes()));
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(of_connection)? {
            if answer.len().saturating_add(chunk.len()) > ANSWER_BYTES {
                // It was taken; what is said at such length is not about metrics.
                return Ok(Bytes::new());
            }
            answer.extend_from_slice(&chunk);
        }
        if is_protobuf { self.taken(&answer) } else { Ok(Bytes::new()) }
    }

    /// Whether all of it was taken, by the answer of a success.
    fn taken(&self, answer: &[u8]) -> Result<Bytes, ExportError> {
        let Ok(answer) = ExportMetricsServiceResponse::decode(answer) else { return Ok(Bytes::new()) };
        match answer.partial_success {
            Some(partial) if partial.rejected_data_points > 0 => {
                let says = self.secrets.iter().fold(partial.error_message, |text, secret| secret.scrub(&text));
                let says: String = printable(&says).chars().take(SHOWN_CHARS).collect();
                let detail = format!("it took the metrics without {} of their samples: {says}", partial.rejected_data_points);
                Err(ExportError::new(Fault::Rejected, detail))
            }
            _ => Ok(Bytes::new()),
        }
    }
}

/// How much of an export's time one attempt may take.
fn share(timeout: Duration) -> Duration {
    timeout / 3
}

fn of_connection(error: reqwest::Error) -> ExportError {
    let error = error.without_url();
    let fault = match &error {
        error if is_tls(error) => Fault::Tls,
        error if error.is_timeout() => Fault::Timeout,
        error if error.is_builder() => Fault::Settings,
        _ => Fault::Connection,
    };
    ExportError::new(fault, if fault == Fault::Timeout { "no answer in time".to_owned() } else { causes(&error) })
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, url, body) = (self.clone(), request.uri().to_string(), request.into_body());
        let result = self.runtime.spawn(async move { client.deliver(&url, &body).await }).await?;
        result.map(Response::new).map_err(|error| {
            if let Ok(mut failure) = self.failure.lock() {
                *failure = Some(error.clone());
            }
            error.into()
        })
    }
}
