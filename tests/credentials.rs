//! Application Default Credentials in every form that a trigger uses, against a token service over real sockets. What is held: the
//! form that applies is used, an error names it and says what to do, and no secret is ever printed.

use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Response;

use crate::storage_server::objects::base64;
use crate::workspace::{Ran, Workspace};

pub const SECRETS: [&str; 4] = ["access-token-9000", "subject-token-9000", "refresh-token-9000", "client-secret-9000"];

/// Gives a token to everybody, or to nobody, and remembers who asked.
pub struct TokenService {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl TokenService {
    pub fn start(status: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&requests);
        let app = axum::Router::new().fallback(move |request: Request| {
            let seen = Arc::clone(&seen);
            async move {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, usize::MAX).await.unwrap();
                seen.lock().unwrap().push(format!("{} {} {}", head.method, head.uri, String::from_utf8_lossy(&body)));
                // The metadata server knows no other universe than Google's own.
                let status = if head.uri.path().contains("universe") { 404 } else { status };
                let answer = serde_json::json!({
                    "access_token": SECRETS[0],
                    "value": SECRETS[1],
                    "expires_in": 3600,
                    "token_type": "Bearer",
                    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                });
                let response = Response::builder().status(status).header("content-type", "application/json");
                response.body(Body::from(answer.to_string())).unwrap()
            }
        });
        runtime.spawn(async move {
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), app).await.unwrap();
        });
        Self { address, requests, runtime: Some(runtime) }
    }

    fn was_asked(&self, part: &str) -> bool {
        self.requests.lock().unwrap().iter().any(|request| request.contains(part))
    }
}

impl Drop for TokenService {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

/// Runs a check on a bucket behind TLS where nobody listens: how far it gets shows whether there were credentials.
fn run(workspace: &Workspace, environment: &[(&str, &str)]) -> Ran {
    workspace.config("");
    let home = workspace.path("home").display().to_string();
    let mut variables = vec![
        ("DRIFT_CHECK__BUCKET__URI", "gs://logs"),
        ("DRIFT_CHECK__BUCKET__ENDPOINT", "https://127.0.0.1:1"),
        ("DRIFT_CHECK__BUCKET__TIMEOUT", "1s"),
        ("HOME", home.as_str()),
    ];
    variables.extend(environment);
    let ran = workspace.run_with(&["--config", "config.toml", "-v"], &variables);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    for secret in SECRETS.iter().chain(&["PRIVATE KEY", "eyJ"]) {
        assert!(!ran.stderr.contains(secret) && !ran.stdout.contains(secret), "{secret} is in {}", ran.stderr);
    }
    ran
}

/// There were credentials: what failed is the connection after them.
fn had_credentials(ran: &Ran) {
    assert!(ran.stderr.contains("check the network and bucket.endpoint"), "{}", ran.stderr);
}

fn says(ran: &Ran, words: &[&str]) {
    for word in words {
        assert!(ran.stderr.contains(word), "{word} is not in {}", ran.stderr);
    }
}

/// A credentials file; its path.
fn file(workspace: &Workspace, name: &str, content: &serde_json::Value) -> String {
    workspace.write(name, content.to_string());
    workspace.path(name).display().to_string()
}

fn federation(service: &TokenService) -> serde_json::Value {
    serde_json::json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/github-pool/providers/github-provider",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("http://{}/v1/token", service.address),
        "credential_source": {
            "url": format!("http://{}/oidc?audience=x", service.address),
            "headers": { "Authorization": "Bearer runtime-token" },
            "format": { "type": "json", "subject_token_field_name": "value" },
        },
    })
}

pub fn login(service: &TokenService) -> serde_json::Value {
    serde_json::json!({
        "type": "authorized_user",
        "client_id": "id",
        "client_secret": SECRETS[3],
        "refresh_token": SECRETS[2],
        "token_uri": format!("http://{}/refresh", service.address),
    })
}

#[test]
fn on_cloud_run_the_metadata_server_is_asked() {
    let (workspace, service) = (Workspace::new(), TokenService::start(200));
    had_credentials(&run(&workspace, &[("GCE_METADATA_HOST", service.address.as_str())]));
    assert!(service.was_asked("GET /computeMetadata/v1/instance/service-accounts/default/token"));
}

#[test]
fn in_github_actions_workload_identity_federation_is_used() {
    let (workspace, service) = (Workspace::new(), TokenService::start(200));
    let path = file(&workspace, "gha-creds.json", &federation(&service));
    had_credentials(&run(&workspace, &[("GOOGLE_APPLICATION_CREDENTIALS", path.as_str())]));
    assert!(service.was_asked("GET /oidc") && service.was_asked("POST /v1/token"));
    assert!(service.was_asked(SECRETS[1]), "the subject token is exchanged");
}

#[test]
fn a_developers_login_is_found_in_its_usual_place() {
    let (workspace, service) = (Workspace::new(), TokenService::start(200));
    file(&workspace, "home/.config/gcloud/application_default_credentials.json", &login(&service));
    had_credentials(&run(&workspace, &[]));
    assert!(service.was_asked("POST /refresh") && service.was_asked(SECRETS[2]));
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let empty = ("GOOGLE_APPLICATION_CREDENTIALS", "");
    let (workspace, service) = (Workspace::new(), TokenService::start(200));
    had_credentials(&run(&workspace, &[empty, ("GCE_METADATA_HOST", service.address.as_str())]));
    assert!(service.was_asked("GET /computeMetadata/v1/instance/service-accounts/default/token"));
    file(&workspace, "home/.config/gcloud/application_default_credentials.json", &login(&service));
    had_credentials(&run(&workspace, &[empty]));
    assert!(service.was_asked("POST /refresh") && service.was_asked(SECRETS[2]));
}

#[test]
fn a_service_account_key_needs_nobody() {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    let workspace = Workspace::new();
    let key: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", base64(key.as_ref()));
    let account = serde_json::json!({
        "type": "service_account",
        "client_email": "drift-detection@project.iam.gserviceaccount.com",
        "private_key_id": "1",
        "private_key": pem,
        "project_id": "project",
    });
    let path = file(&workspace, "key.json", &account);
    had_credentials(&run(&workspace, &[("GOOGLE_APPLICATION_CREDENTIALS", path.as_str())]));

    // The clients of the public service, as they are really built: two TLS providers are compiled in, and without a choice between
    // them clients panic. The proxy keeps the request on this machine.
    let public = [
        ("GOOGLE_APPLICATION_CREDENTIALS", path.as_str()),
        ("DRIFT_CHECK__BUCKET__ENDPOINT", ""),
        ("HTTPS_PROXY", "http://127.0.0.1:1"),
    ];
    let ran = run(&workspace, &public);
    had_credentials(&ran);
    says(&ran, &["https://storage.googleapis.com"]);

    let mut broken = account;
    broken["private_key"] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".into();
    let path = file(&workspace, "broken.json", &broken);
    let ran = run(&workspace, &[("GOOGLE_APPLICATION_CREDENTIALS", path.as_str())]);
    says(&ran, &["the service account key in", "broken.json", "check that the key is complete"]);
}

#[test]
fn without_credentials_the_error_says_which_form_was_tried_and_what_to_do() {
    let workspace = Workspace::new();
    let nobody = run(&workspace, &[("GCE_METADATA_HOST", "127.0.0.1:1")]);
    says(&nobody, &["the service account of the metadata server", "gcloud auth application-default login"]);

    let missing = run(&workspace, &[("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")]);
    says(&missing, &["the credentials file /nowhere/key.json", "GOOGLE_APPLICATION_CREDENTIALS"]);

    workspace.write("text.json", "no json at all");
    let path = workspace.path("text.json").display().to_string();
    says(&run(&workspace, &[("GOOGLE_APPLICATION_CREDENTIALS", path.as_str())]), &["the credentials file", "in JSON"]);
}

#[test]
fn credentials_that_are_refused_are_named() {
    let (workspace, service) = (Workspace::new(), TokenService::start(400));
    let path = file(&workspace, "gha-creds.json", &federation(&service));
    let ran = run(&workspace, &[("GOOGLE_APPLICATION_CREDENTIALS", path.as_str())]);
    says(&ran, &["Workload Identity Federation by", "id-token: write"]);
    let path = file(&workspace, "login.json", &login(&service));
    let ran = run(&workspace, &[("GOOGLE_APPLICATION_CREDENTIALS", path.as_str())]);
    says(&ran, &["the login in", "gcloud auth application-default login` again"]);
}

#[test]
fn an_emulator_is_told_nothing() {
    let (workspace, service) = (Workspace::new(), TokenService::start(200));
    let server = crate::storage_server::StorageServer::start();
    let endpoint = server.endpoint();
    let path = file(&workspace, "login.json", &login(&service));
    let environment = [("GOOGLE_APPLICATION_CREDENTIALS", path.as_str()), ("STORAGE_EMULATOR_HOST", endpoint.as_str())];
    workspace.config("");
    let ran = workspace.run_with(&["--config", "config.toml", "--bucket", "gs://logs"], &environment);
    assert_eq!(ran.code, 4, "there is no reference: {}", ran.stderr);
    assert!(service.requests.lock().unwrap().is_empty());
}
