//! OTLP over HTTP in protobuf, by the SDK of OpenTelemetry: every metric as a gauge, sent once and waited for.

use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{MetricExporter, Protocol, RetryPolicy, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Instrument, PeriodicReader, SdkMeterProvider, Stream};
use opentelemetry_sdk::resource::EnvResourceDetector;

use super::client::Client;
use super::{Collector, ExportError, Fault};
use crate::report::metrics::{Family, Unit};

/// What the specification appends to the address of a collector.
const PATH: &str = "/v1/metrics";

/// The reader is told when to read; it must not do so by itself.
const NEVER: Duration = Duration::from_hours(24 * 365);

/// How much longer than the client the SDK waits: the client ends by itself, and says why.
const MARGIN: Duration = Duration::from_secs(2);

/// Sends all samples, and waits for the receipt. `resource` says who sends, by the names of OpenTelemetry; `OTEL_RESOURCE_ATTRIBUTES` of
/// the process adds to it and goes before it.
///
/// # Errors
/// Why they were not taken, not all of them, or not in time.
pub async fn export(families: &[Family], resource: &[(&'static str, String)], collector: &Collector) -> Result<(), ExportError> {
    let unusable = |what: String| ExportError::new(Fault::Settings, what);
    let client = Client::new(collector)?;
    let exporter = MetricExporter::builder()
        .with_http()
        .with_http_client(client.clone())
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(address(&collector.endpoint))
        .with_timeout(collector.timeout)
        // The client has its own.
        .with_retry_policy(RetryPolicy::disabled())
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    let attributes = resource.iter().map(|(name, value)| KeyValue::new(*name, value.clone()));
    let resource =
        Resource::builder_empty().with_attributes(attributes).with_detector(Box::new(EnvResourceDetector::new())).build();
    // The SDK's own limit is 2,000 samples a metric; beyond it they would be added up into one.
    let most = families.iter().map(|family| family.samples.len()).max().unwrap_or_default();
    let limit = move |_: &Instrument| Stream::builder().with_cardinality_limit(most + 1).build().ok();
    let reader = PeriodicReader::builder(exporter).with_interval(NEVER).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).with_resource(resource).with_view(limit).build();
    let scope = InstrumentationScope::builder("drift-check").with_version(env!("CARGO_PKG_VERSION")).build();
    let meter = provider.meter_with_scope(scope);
    for Family { name, help, unit, samples } in families {
        let builder = meter.f64_gauge(*name).with_description(*help);
        let gauge = match unit {
            Some(Unit::Ratio) => builder.with_unit("1"),
            Some(Unit::Seconds) => builder.with_unit("s"),
            None => builder,
        }
        .build();
        for sample in samples {
            let labels: Vec<KeyValue> = sample.labels.iter().map(|(name, value)| KeyValue::new(*name, value.clone())).collect();
            gauge.record(sample.value, &labels);
        }
    }
    let patience = collector.timeout + MARGIN;
    let sent = crate::blocking::run(move || provider.shutdown_with_timeout(patience)).await;
    // The SDK's error says that there was one.
    match (client.failure(), sent) {
        (Some(failure), _) => Err(failure),
        (None, Err(error)) => Err(ExportError::new(Fault::Timeout, error)),
        (None, Ok(())) => Ok(()),
    }
}

fn address(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    if endpoint.ends_with(PATH) { endpoint.to_owned() } else { format!("{endpoint}{PATH}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_once() {
        for endpoint in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/metrics", "http://c:4318/v1/metrics/"] {
            assert_eq!(address(endpoint), "http://c:4318/v1/metrics");
        }
        assert_eq!(address("https://c/otlp"), "https://c/otlp/v1/metrics");
    }
}
