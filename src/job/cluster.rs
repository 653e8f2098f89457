//! The cluster that reads the logs: how it is reached, and where it finds them.

use crate::bucket::Bucket;
use crate::config::{Config, Effective, SparkSettings};
use crate::engine::{Engine, EngineError};
use crate::error::JobError;

/// Connects to the cluster of the configuration.
///
/// # Errors
/// When it cannot be reached, does not let us in or does not know the logs, and in a build without it.
#[cfg(feature = "spark")]
pub async fn connect(
    settings: &SparkSettings,
    config: &Config,
    effective: &Effective,
    bucket: &Bucket,
    environment: &[(String, String)],
) -> Result<Engine, JobError> {
    use crate::engine::spark::{Rows, Settings, Spark};

    let token =
        settings.token.as_ref().map(|token| super::channels::text_of(environment, "engine.token", token).map(|(text, _)| text));
    let token = token.transpose().map_err(|problem| EngineError::Settings(problem.to_string()))?;
    let rows = match &config.logs.table {
        Some(table) => Rows::Table(table.clone()),
        None => Rows::Path(uri(config, effective, bucket)?),
    };
    let timeout = settings.timeout.delta().to_std().unwrap_or_default();
    let spark = Spark::connect(Settings { remote: settings.remote.clone(), token, timeout }, rows).await?;
    Ok(Engine::Spark(std::sync::Arc::new(spark)))
}

/// The same, in a build without it.
///
/// # Errors
/// Always.
#[cfg(not(feature = "spark"))]
#[expect(clippy::unused_async, reason = "as the one above")]
pub async fn connect(_: &SparkSettings, _: &Config, _: &Effective, _: &Bucket, _: &[(String, String)]) -> Result<Engine, JobError> {
    Err(EngineError::NotBuilt.into())
}

/// Where the logs are, as somebody else sees them too: an absolute path, or whatever has a scheme.
#[cfg(feature = "spark")]
fn uri(config: &Config, effective: &Effective, bucket: &Bucket) -> Result<String, JobError> {
    use super::input::Place;

    let uri = match &config.logs.path {
        Some(path) if path.contains("://") && !path.starts_with("file:") => return Ok(path.clone()),
        Some(path) => Place::resolve(path, "logs.path", bucket, config, effective)?.uri(),
        None => bucket.uri(&config.logs.prefix),
    };
    let Some(path) = uri.strip_prefix("file://").or_else(|| uri.strip_prefix("file:")) else { return Ok(uri) };
    let absolute = std::path::absolute(path).map_err(|source| JobError::Write { path: path.to_owned(), source })?;
    Ok(format!("file://{}", absolute.display()))
}

/// Refuses a command that reads the logs itself.
///
/// # Errors
/// Where a cluster is to read them.
pub fn only_local(config: &Config, command: &str) -> Result<(), JobError> {
    if config.engine == crate::config::EngineSettings::Local {
        return Ok(());
    }
    Err(JobError::Usage(format!(
        "`{command}` reads the logs itself, row by row, and engine.kind is \"spark\": set it to \"local\" for this command \
         (DRIFT_CHECK__ENGINE__KIND=local), where this machine can read the logs"
    )))
}
