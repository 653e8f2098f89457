//! What a cluster needs to be reached, and what only a cluster can read.

use super::super::layer::Layers;
use super::super::{Config, EngineSettings, SparkSettings};
use super::{latest_origin, sound};

const KEYS: [&str; 3] = ["engine.kind", "engine.remote", "engine.token"];

pub(super) fn check(layers: &mut Layers, config: &Config) {
    if !sound(layers, &["engine.kind", "logs.table", "logs.path"]) {
        return;
    }
    if config.logs.table.is_some() {
        if config.engine == EngineSettings::Local {
            let origin = latest_origin(layers, &["engine.kind", "logs.table"]);
            let hint = "set engine.kind = \"spark\", or remove it";
            layers.problem(origin, "logs.table", "names a table, and tables are read by a cluster", hint);
        }
        if config.logs.path.is_some() {
            let origin = latest_origin(layers, &["logs.path", "logs.table"]);
            layers.problem(origin, "logs.table", "and `logs.path` are both set", "keep the one that holds the logs");
        }
    }
    if let EngineSettings::Spark(spark) = &config.engine
        && sound(layers, &KEYS)
    {
        remote(layers, spark);
    }
}

fn remote(layers: &mut Layers, spark: &SparkSettings) {
    let origin = latest_origin(layers, &KEYS);
    let mut problem = |message: &str, hint: &str| layers.problem(origin.clone(), "engine.remote", message, hint);
    let Some(address) = spark.remote.strip_prefix("sc://") else {
        let message =
            if spark.remote.is_empty() { "is not set, and engine.kind = \"spark\" needs it" } else { "does not begin with sc://" };
        problem(message, "write the address of the Spark Connect server, such as \"sc://spark:15002\"");
        return;
    };
    let (host, options) = address.split_once("/;").unwrap_or((address, ""));
    if host.trim_end_matches('/').is_empty() || host.contains(['@', ';', '?', '#']) {
        problem("is not sc://HOST:PORT", "write the address of the server, and its options after \"/;\"");
        return;
    }
    let option = |name: &str| options.split(';').filter_map(|option| option.split_once('=')).find(|(key, _)| *key == name);
    if option("token").is_some() {
        problem("holds a token, and secrets are only referred to", "remove it, and set engine.token to env:NAME or file:/path");
    }
    let has_tls = option("use_ssl").is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"));
    let name = host.trim_end_matches('/').rsplit_once(':').map_or(host, |(name, _)| name);
    let is_near = ["localhost", "127.0.0.1", "[::1]"].contains(&name);
    if spark.token.is_some() && !has_tls && !is_near {
        problem("is without encryption, and the token is a secret", "add \"/;use_ssl=true\", or send no token");
    }
}
