//! Prometheus metrics: a registry for each service, with what all of them count.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

/// Upper bounds of the duration histograms, in seconds: from a cached answer to the request timeout.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
];

/// What `GET /metrics` shows. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    http_requests: IntCounterVec,
    http_seconds: HistogramVec,
    grpc_requests: IntCounterVec,
    grpc_seconds: HistogramVec,
}

impl Metrics {
    /// A registry with process metrics (where the platform has them) and the request metrics of both faces.
    ///
    /// # Errors
    /// None that a caller can cause: names are constants.
    pub fn new() -> anyhow::Result<Self> {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry.register(Box::new(
            prometheus::process_collector::ProcessCollector::for_self(),
        ))?;
        let seconds =
            |name: &str, help: &str| HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        let metrics = Self {
            http_requests: IntCounterVec::new(
                Opts::new(
                    "http_requests_total",
                    "HTTP requests answered, by route and status",
                ),
                &["route", "status"],
            )?,
            http_seconds: HistogramVec::new(
                seconds(
                    "http_request_duration_seconds",
                    "From the request's head to its answer's head",
                ),
                &["route"],
            )?,
            grpc_requests: IntCounterVec::new(
                Opts::new(
                    "grpc_requests_total",
                    "gRPC calls ended, by method and code",
                ),
                &["method", "code"],
            )?,
            grpc_seconds: HistogramVec::new(
                seconds(
                    "grpc_request_duration_seconds",
                    "From the call's head to the end of its answer",
                ),
                &["method"],
            )?,
            registry,
        };
        metrics.register(metrics.http_requests.clone())?;
        metrics.register(metrics.http_seconds.clone())?;
        metrics.register(metrics.grpc_requests.clone())?;
        metrics.register(metrics.grpc_seconds.clone())?;
        Ok(metrics)
    }

    /// Adds a metric of the service's own.
    ///
    /// # Errors
    /// A metric of that name is there already.
    pub fn register(&self, collector: impl Collector + 'static) -> anyhow::Result<()> {
        Ok(self.registry.register(Box::new(collector))?)
    }

    /// All metrics as Prometheus text (version 0.0.4).
    ///
    /// # Errors
    /// A collector gave inconsistent values.
    pub fn render(&self) -> anyhow::Result<String> {
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }

    pub(crate) fn http_request(&self, route: &str, status: u16, took: Duration) {
        self.http_route(route).count(status, took);
    }

    pub(crate) fn http_route(&self, route: &str) -> HttpRoute {
        HttpRoute {
            route: route.to_owned(),
            requests: self.http_requests.clone(),
            by_status: Vec::new(),
            seconds: self.http_seconds.with_label_values(&[route]),
        }
    }

    /// For the calls of one connection.
    pub(crate) fn grpc_calls(&self) -> GrpcCalls {
        GrpcCalls(Arc::new(Methods {
            requests: self.grpc_requests.clone(),
            seconds: self.grpc_seconds.clone(),
            known: Mutex::default(),
        }))
    }
}

/// What is counted of the calls of one connection; looks labels up once for each method and code. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct GrpcCalls(Arc<Methods>);

#[derive(Debug)]
struct Methods {
    requests: IntCounterVec,
    seconds: HistogramVec,
    known: Mutex<Vec<GrpcMethod>>,
}

#[derive(Debug)]
struct GrpcMethod {
    name: String,
    seconds: Histogram,
    by_code: Vec<(tonic::Code, IntCounter)>,
}

impl GrpcCalls {
    /// Counts a call; `method` is one of those that exist, or a constant.
    pub(crate) fn count(&self, method: &str, code: tonic::Code, took: Duration) {
        let Methods {
            requests,
            seconds,
            known,
        } = &*self.0;
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let place = known.iter().position(|it| it.name == method);
        let place = place.unwrap_or_else(|| {
            known.push(GrpcMethod {
                name: method.to_owned(),
                seconds: seconds.with_label_values(&[method]),
                by_code: Vec::new(),
            });
            known.len() - 1
        });
        let known = &mut known[place];
        known.seconds.observe(took.as_secs_f64());
        if let Some((_, counter)) = known.by_code.iter().find(|(it, _)| *it == code) {
            return counter.inc();
        }
        let counter = requests.with_label_values(&[method, code_name(code)]);
        counter.inc();
        known.by_code.push((code, counter));
    }
}

/// What is counted of one route; looks labels up once for each status.
#[derive(Debug)]
pub(crate) struct HttpRoute {
    route: String,
    requests: IntCounterVec,
    by_status: Vec<(u16, IntCounter)>,
    seconds: Histogram,
}

impl HttpRoute {
    pub(crate) fn count(&mut self, status: u16, took: Duration) {
        self.seconds.observe(took.as_secs_f64());
        if let Some((_, counter)) = self.by_status.iter().find(|(known, _)| *known == status) {
            return counter.inc();
        }
        let mut digits = [0; 3];
        let labels = [self.route.as_str(), three_digits(status, &mut digits)];
        let counter = self.requests.with_label_values(&labels);
        counter.inc();
        self.by_status.push((status, counter));
    }
}

/// An HTTP status (100 to 999) as text without an allocation.
fn three_digits(status: u16, digits: &mut [u8; 3]) -> &str {
    *digits = [status / 100, status / 10 % 10, status % 10].map(|digit| b'0' + (digit % 10) as u8);
    std::str::from_utf8(digits).unwrap_or_default()
}

/// The name of a code as the gRPC documentation writes it.
fn code_name(code: tonic::Code) -> &'static str {
    use tonic::Code;
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_and_status() {
        let metrics = Metrics::new().expect("registry");
        metrics.http_request("/api/v1/events", 200, Duration::from_millis(3));
        metrics.http_request("/api/v1/events", 503, Duration::from_millis(3));
        for calls in [metrics.grpc_calls(), metrics.grpc_calls()] {
            for code in [tonic::Code::Ok, tonic::Code::ResourceExhausted] {
                calls.count("/a.B/C", code, Duration::from_millis(3));
                calls
                    .clone()
                    .count("/a.B/C", code, Duration::from_millis(3));
            }
        }
        let text = metrics.render().expect("text");
        for line in [
            r#"http_requests_total{route="/api/v1/events",status="200"} 1"#,
            r#"http_requests_total{route="/api/v1/events",status="503"} 1"#,
            r#"http_request_duration_seconds_bucket{route="/api/v1/events",le="0.005"} 2"#,
            r#"grpc_requests_total{code="RESOURCE_EXHAUSTED",method="/a.B/C"} 4"#,
            r#"grpc_request_duration_seconds_bucket{method="/a.B/C",le="0.005"} 8"#,
        ] {
            assert!(text.contains(line), "no {line} in:\n{text}");
        }
        #[cfg(target_os = "linux")]
        assert!(text.contains("process_cpu_seconds_total"), "{text}");
    }
}
