//! A collector of the tests' own: it takes OTLP over HTTP as the specification has it, decodes the real protobuf, and misbehaves on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use prost::Message as _;
use tokio::net::TcpListener;

#[derive(Clone, Debug)]
pub enum Answer {
    Success,
    Status(u16, &'static str),
    /// Some samples are left out, with these words.
    Partial(i64, &'static str),
    Hang,
    /// The connection is broken once the request was read.
    Reset,
    /// An answer that never ends.
    Endless,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Taken {
    pub path: String,
    pub headers: HeaderMap,
    pub metrics: ExportMetricsServiceRequest,
}

#[derive(Default)]
struct State {
    taken: Vec<Taken>,
    answers: Vec<Answer>,
}

/// It stops with the test's runtime.
pub struct Collector {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Collector {
    /// Answers in this order; the last for ever.
    pub async fn start(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { taken: Vec::new(), answers: answers.to_vec() }));
        let shared = Arc::clone(&state);
        let app = axum::Router::new().fallback(move |request: Request| answer(Arc::clone(&shared), request));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, state }
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.state.lock().unwrap().taken.clone()
    }
}

async fn answer(state: Arc<Mutex<State>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 1 << 24).await.unwrap();
    let metrics = ExportMetricsServiceRequest::decode(bytes).unwrap();
    let next = {
        let mut state = state.lock().unwrap();
        state.taken.push(Taken { path: parts.uri.path().to_owned(), headers: parts.headers, metrics });
        if state.answers.len() > 1 { state.answers.remove(0) } else { state.answers[0].clone() }
    };
    let success = |partial_success| {
        let body = ExportMetricsServiceResponse { partial_success }.encode_to_vec();
        ([("content-type", "application/x-protobuf")], body).into_response()
    };
    match next {
        Answer::Success => success(None),
        Answer::Status(status, text) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        Answer::Partial(rejected_data_points, words) => {
            success(Some(ExportMetricsPartialSuccess { rejected_data_points, error_message: words.to_owned() }))
        }
        Answer::Hang => {
            tokio::time::sleep(Duration::from_mins(10)).await;
            success(None)
        }
        Answer::Reset => {
            Body::from_stream(futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("reset"))])).into_response()
        }
        Answer::Endless => {
            let endless = futures::stream::repeat(Bytes::from_static(&[b'x'; 1_024])).map(Ok::<_, std::io::Error>);
            ([("content-type", "application/x-protobuf")], Body::from_stream(endless)).into_response()
        }
    }
}

/// A metric's name and its labels.
pub type Series = (String, BTreeMap<String, String>);

impl Taken {
    /// Every sample, as the protobuf holds it.
    pub fn samples(&self) -> BTreeMap<Series, f64> {
        let metrics = self.metrics.resource_metrics.iter().flat_map(|of| &of.scope_metrics).flat_map(|of| &of.metrics);
        let mut samples = BTreeMap::new();
        for metric in metrics {
            let Some(metric::Data::Gauge(gauge)) = &metric.data else { panic!("{} is no gauge", metric.name) };
            for point in &gauge.data_points {
                let Some(number_data_point::Value::AsDouble(value)) = point.value else { panic!("{point:?}") };
                assert!(point.time_unix_nano > 0);
                let before = samples.insert((metric.name.clone(), texts(&point.attributes)), value);
                assert_eq!(before, None, "{} {:?} stands twice", metric.name, point.attributes);
            }
        }
        samples
    }

    pub fn resource(&self) -> BTreeMap<String, String> {
        let [of] = self.metrics.resource_metrics.as_slice() else { panic!("one resource is expected") };
        texts(&of.resource.as_ref().unwrap().attributes)
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => (pair.key.clone(), text.clone()),
        other => panic!("{other:?} is no text"),
    };
    attributes.iter().map(text).collect()
}
