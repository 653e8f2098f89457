//! Who the job is to Google Cloud: Application Default Credentials, and which of their forms was found. One for all clients of
//! Google's. Never shows a secret.

use std::fmt;
use std::path::{Path, PathBuf};

use google_cloud_auth::credentials::{
    self, CacheableResource, Credentials, anonymous, external_account, impersonated, mds, service_account, user_account,
};

/// Reading and writing objects, and nothing else.
pub const STORAGE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// Reading and writing documents of Firestore.
pub const DATASTORE: &str = "https://www.googleapis.com/auth/datastore";

/// Writing metrics, and nothing else.
pub const MONITORING: &str = "https://www.googleapis.com/auth/monitoring.write";

/// The headers that say who the job is, by the credentials that are there.
///
/// # Errors
/// What is wrong with them, and the remedy.
pub async fn headers(scope: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
    let identity = Identity::find();
    let credentials = identity.credentials(scope).map_err(|what| format!("{identity} cannot be used: {what}"))?;
    #[expect(clippy::default_trait_access, reason = "its type is of a crate that is not named here")]
    let headers = Box::pin(credentials.headers(Default::default()));
    match headers.await {
        Ok(CacheableResource::New { data, .. }) => {
            Ok(data.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect())
        }
        Ok(CacheableResource::NotModified) => Ok(Vec::new()),
        Err(error) => Err(format!("{identity} gave no token: {error}; {}", identity.remedy())),
    }
}

/// The variable that names a credentials file.
const VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// Where the credentials come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nobody is asked: the service is an emulator.
    Anonymous,
    /// Of the machine: Cloud Run, GKE, Compute Engine.
    MetadataServer,
    /// Workload Identity Federation, as GitHub Actions sets it up.
    Federation(PathBuf),
    ServiceAccountKey(PathBuf),
    /// A person, by `gcloud auth application-default login`.
    Login(PathBuf),
    Impersonation(PathBuf),
    /// A file that cannot be told.
    File(PathBuf),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("no credentials: the endpoint is not https"),
            Self::MetadataServer => f.write_str("the service account of the metadata server"),
            Self::Federation(path) => write!(f, "Workload Identity Federation by {}", path.display()),
            Self::ServiceAccountKey(path) => write!(f, "the service account key in {}", path.display()),
            Self::Login(path) => write!(f, "the login in {}", path.display()),
            Self::Impersonation(path) => write!(f, "the impersonation in {}", path.display()),
            Self::File(path) => write!(f, "the credentials file {}", path.display()),
        }
    }
}

impl Identity {
    /// The form that the client is going to use: the variable's file, else the login's file, else the machine's.
    pub fn find() -> Self {
        let known = || {
            let home = std::env::var_os("HOME")?;
            Some(Path::new(&home).join(".config/gcloud/application_default_credentials.json")).filter(|path| path.exists())
        };
        variable().filter(|path| !path.as_os_str().is_empty()).or_else(known).map_or(Self::MetadataServer, Self::of_file)
    }

    /// Whom the file names: the service account's address, the person's, or the federated identity's audience. `None` where it does not say,
    /// and for the machine's own account.
    pub fn principal(&self) -> Option<String> {
        let path = match self {
            Self::Anonymous | Self::MetadataServer => return None,
            Self::Federation(path)
            | Self::ServiceAccountKey(path)
            | Self::Login(path)
            | Self::Impersonation(path)
            | Self::File(path) => path,
        };
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let text = |key: &str| json.get(key)?.as_str().map(str::to_owned).filter(|text| !text.is_empty());
        let impersonated = || {
            let url = text("service_account_impersonation_url")?;
            Some(url.split_once("/serviceAccounts/")?.1.split(':').next()?.to_owned())
        };
        text("client_email").or_else(impersonated).or_else(|| text("account")).or_else(|| text("audience"))
    }

    /// With the name of who it is, where that is known.
    pub fn named(&self, principal: Option<String>) -> String {
        principal.map_or_else(|| self.to_string(), |principal| format!("{principal} ({self})"))
    }

    /// The credentials as Google's client would make them if the variable were not there.
    fn without_the_variable(&self, scope: &str) -> Result<Credentials, String> {
        let json = |path: &Path| {
            let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
            serde_json::from_slice::<serde_json::Value>(&bytes).map_err(|error| error.to_string())
        };
        let built = match self {
            Self::Anonymous => Ok(anonymous::Builder::new().build()),
            Self::MetadataServer => mds::Builder::default().with_scopes([scope]).build(),
            Self::Federation(path) => external_account::Builder::new(json(path)?).with_scopes([scope]).build(),
            Self::ServiceAccountKey(path) => {
                let scopes = service_account::AccessSpecifier::from_scopes([scope]);
                service_account::Builder::new(json(path)?).with_access_specifier(scopes).build()
            }
            Self::Login(path) => user_account::Builder::new(json(path)?).with_scopes([scope]).build(),
            Self::Impersonation(path) => impersonated::Builder::new(json(path)?).with_scopes([scope]).build(),
            Self::File(path) => return Err(format!("{} is no credentials file", path.display())),
        };
        built.map_err(|error| error.to_string())
    }

    fn of_file(path: PathBuf) -> Self {
        let kind = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
        match kind.as_ref().and_then(|json| json.get("type")?.as_str()) {
            Some("external_account") => Self::Federation(path),
            Some("service_account") => Self::ServiceAccountKey(path),
            Some("authorized_user") => Self::Login(path),
            Some("impersonated_service_account") => Self::Impersonation(path),
            _ => Self::File(path),
        }
    }

    /// The credentials for this scope, or what is wrong with them.
    pub fn credentials(&self, scope: &str) -> Result<Credentials, String> {
        match self {
            Self::Anonymous => Ok(anonymous::Builder::new().build()),
            // Google's client would look for a file without a name.
            _ if variable() == Some(PathBuf::new()) => self.without_the_variable(scope),
            _ => credentials::Builder::default().with_scopes([scope]).build().map_err(|error| error.to_string()),
        }
    }

    /// What to do when these credentials cannot be had.
    pub fn remedy(&self) -> String {
        match self {
            Self::Anonymous => String::new(),
            Self::MetadataServer => format!(
                "{VARIABLE} is not set and there is no login, so the machine's own service account was tried: run where one is \
                 attached (Cloud Run), or set {VARIABLE}, or run `gcloud auth application-default login`"
            ),
            Self::Federation(_) => {
                "in GitHub Actions, grant the workflow `id-token: write`, let google-github-actions/auth run before \
                                    this step, and check that the pool accepts this repository"
                    .to_owned()
            }
            Self::ServiceAccountKey(_) => {
                format!("check that the key is complete and not deleted, and that {VARIABLE} names it")
            }
            Self::Login(_) => "run `gcloud auth application-default login` again".to_owned(),
            Self::Impersonation(_) => {
                "check that you may impersonate the service account (roles/iam.serviceAccountTokenCreator)".to_owned()
            }
            Self::File(_) => format!("let {VARIABLE} name a credentials file in JSON, or remove the variable"),
        }
    }
}

/// What the variable says; empty, it counts as not set.
fn variable() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}
