//! The connection to Cloud Storage: credentials, the vendor's client for objects, and the JSON API for listings, which that client
//! speaks over gRPC only. Built when it is first needed, and shared.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_storage::client::Storage;
use google_cloud_storage::http::HeaderMap;
use google_cloud_storage::read_resume_policy::NeverResume;
use tokio::sync::OnceCell;

use super::errors::Asked;
use crate::bucket::BucketOptions;
use crate::bucket::budget::Budget;
use crate::bucket::fault::{Fault, ServiceError};
use crate::credentials::{Identity, STORAGE};
use crate::retry::Policy;

const PUBLIC_ENDPOINT: &str = "https://storage.googleapis.com";
/// No single attempt waits longer than this for the next sign of life.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);
/// The longest answer of the JSON API that is read, in bytes: a page of a listing, whose 1,000 objects may have 8 KiB of metadata each, is
/// far shorter.
const LONGEST_ANSWER: usize = 32 << 20;

/// How long the metadata server is waited for: it is on the machine.
const METADATA: Duration = Duration::from_secs(2);

pub struct Client {
    endpoint: String,
    policy: Policy,
    identity: Identity,
    budget: Budget,
    connected: OnceCell<Connected>,
}

pub(super) struct Connected {
    pub storage: Storage,
    http: reqwest::Client,
    credentials: Credentials,
}

/// Credentials stay out of every output.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.endpoint).field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Client {
    pub fn new(options: &BucketOptions) -> Self {
        let endpoint = options.endpoint.as_deref().unwrap_or(PUBLIC_ENDPOINT).trim_end_matches('/').to_owned();
        // A token must not travel in the clear, and an emulator has no use for it.
        let identity = if endpoint.starts_with("https://") { Identity::find() } else { Identity::Anonymous };
        let budget = Budget::new(options.max_download_bytes);
        Self { endpoint, policy: Policy::within(options.patience), identity, budget, connected: OnceCell::new() }
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The memory of all downloads that are not streamed.
    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// How long an attempt may wait for the next sign of life.
    pub fn silence(&self) -> Duration {
        LONGEST_SILENCE.min(self.policy.patience / 4)
    }

    pub(super) async fn connected(&self, asked: &Asked<'_>) -> Result<&Connected, ServiceError> {
        // The clients make large futures: they live on the heap.
        self.connected.get_or_try_init(|| Box::pin(self.connect(asked))).await
    }

    async fn connect(&self, asked: &Asked<'_>) -> Result<Connected, ServiceError> {
        let unusable = |detail: String| {
            let text = format!("{} cannot be used: {detail}", self.identity);
            asked.failed(Fault::Credentials { transient: false }, text)
        };
        let credentials = self.identity.credentials(STORAGE).map_err(unusable)?;
        let builder = Storage::builder()
            .with_endpoint(self.endpoint.clone())
            .with_credentials(credentials.clone())
            // Ours are the only retries, in src/retry.rs.
            .with_retry_policy(NeverRetry)
            .with_read_resume_policy(NeverResume)
            // One request, which is whole or is not: reports and profiles are small.
            .with_resumable_upload_threshold(usize::MAX);
        let storage = builder.build().await.map_err(|error| asked.failed(Fault::Unexpected, error.to_string()))?;
        // As the vendor's: what another host says of a bucket is not believed.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).connect_timeout(self.silence());
        let http = http.build().map_err(|error| asked.of_connection(error))?;
        Ok(Connected { storage, http, credentials })
    }

    /// One request of the JSON API, without retries: the body of a success. It may take its time as long as bytes arrive.
    pub(super) async fn get_json(&self, asked: &Asked<'_>, path_and_query: &str) -> Result<Bytes, ServiceError> {
        self.answer(asked, reqwest::Method::GET, path_and_query).await
    }

    pub(super) async fn delete(&self, asked: &Asked<'_>, path: &str) -> Result<(), ServiceError> {
        self.answer(asked, reqwest::Method::DELETE, path).await.map(drop)
    }

    /// The `Date` of any answer: the service need not know who asks.
    pub(super) async fn clock(&self, asked: &Asked<'_>) -> Result<Option<DateTime<Utc>>, ServiceError> {
        // Made before the time runs: it reads the system's certificates.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        let request = http.map_err(|error| asked.of_connection(error))?.get(format!("{}/", self.endpoint));
        let call = async {
            let response = request.send().await.map_err(|error| asked.of_connection(error))?;
            let date = response.headers().get("date").and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
            Ok(date.map(DateTime::<Utc>::from))
        };
        self.in_time(asked, self.policy.patience, call).await
    }

    /// Who asks: gets a token, and throws it away.
    pub(super) async fn principal(&self, asked: &Asked<'_>) -> Result<String, ServiceError> {
        let call = async {
            self.token(asked).await?;
            let name = match &self.identity {
                Identity::MetadataServer => self.email().await,
                identity => identity.principal(),
            };
            Ok(self.identity.named(name))
        };
        self.in_time(asked, self.silence(), call).await
    }

    /// The address of the machine's service account, where the metadata server tells it.
    async fn email(&self) -> Option<String> {
        let host = std::env::var("GCE_METADATA_HOST").unwrap_or_else(|_| "metadata.google.internal".to_owned());
        let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/email");
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(METADATA).build().ok()?;
        let answer = http.get(url).header("metadata-flavor", "Google").send().await.ok()?;
        // Longer than any address is no address.
        let is_short = answer.content_length().is_some_and(|length| length < 320);
        if !is_short || !answer.status().is_success() {
            return None;
        }
        answer.text().await.ok().filter(|text| text.contains('@'))
    }

    async fn answer(&self, asked: &Asked<'_>, method: reqwest::Method, path_and_query: &str) -> Result<Bytes, ServiceError> {
        let call = async {
            let mut response = self.in_time(asked, self.silence(), self.send(asked, method, path_and_query)).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let mut body = Vec::new();
            loop {
                let chunk = async { response.chunk().await.map_err(|error| asked.of_connection(error)) };
                let Some(chunk) = self.in_time(asked, self.silence(), chunk).await? else { break };
                if body.len() + chunk.len() > LONGEST_ANSWER {
                    let detail =
                        format!("the answer of {} is longer than {LONGEST_ANSWER} bytes: check bucket.endpoint", self.endpoint);
                    return Err(asked.failed(Fault::Unexpected, detail));
                }
                body.extend_from_slice(&chunk);
            }
            if status.is_success() { Ok(body.into()) } else { Err(asked.of_status(status.as_u16(), Some(&headers), &body)) }
        };
        self.in_time(asked, self.policy.patience, call).await
    }

    async fn send(
        &self,
        asked: &Asked<'_>,
        method: reqwest::Method,
        path_and_query: &str,
    ) -> Result<reqwest::Response, ServiceError> {
        let headers = self.token(asked).await?;
        let http = &self.connected(asked).await?.http;
        let request = http.request(method, format!("{}{path_and_query}", self.endpoint)).headers(headers);
        request.send().await.map_err(|error| asked.of_connection(error))
    }

    /// The headers that say who asks.
    async fn token(&self, asked: &Asked<'_>) -> Result<HeaderMap, ServiceError> {
        let connected = self.connected(asked).await?;
        #[expect(clippy::default_trait_access, reason = "its type is of a crate that is not named here")]
        let headers = Box::pin(connected.credentials.headers(Default::default()));
        match headers.await {
            Ok(CacheableResource::New { data, .. }) => Ok(data),
            Ok(CacheableResource::NotModified) => Ok(HeaderMap::new()),
            Err(error) => Err(asked.of_credentials(&error)),
        }
    }

    /// Ends a call that does not.
    pub(super) async fn in_time<T>(
        &self,
        asked: &Asked<'_>,
        limit: Duration,
        call: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(asked.silent(limit)))
    }
}

/// A text as a part of a path or of a query.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
