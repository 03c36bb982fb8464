//! Traces: a span for a request and its parts, sent as OTLP over HTTP.
//!
//! A request with a `traceparent` (W3C Trace Context) belongs to the caller's trace, and is recorded if the
//! caller records it; of the others a share begins traces of their own. Nothing is recorded of a request
//! that is not sampled: there is no span for it then, and the names below do nothing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    Span, SpanContext, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    Sampler, SdkTracer, SdkTracerProvider, Span as SdkSpan, SpanExporter as SendSpans,
};

use super::sender::{QueuedSender, SpanCounts};

const PARENT: &str = "traceparent";
/// A collector that takes longer for a batch loses it.
const BATCH_WITHIN: Duration = Duration::from_secs(5);
/// At the end the last spans may take so long.
const FLUSHED_WITHIN: Duration = Duration::from_secs(5);

/// What the span of a request is called and tells, by OpenTelemetry's conventions for HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The method.
    pub method: &'a str,
    /// The path with its parts named.
    pub route: &'static str,
    /// The path as it was sent.
    pub path: &'a str,
    /// What the computation for it is called.
    pub work: &'static str,
}

/// Begins spans and sends them.
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    counts: Arc<SpanCounts>,
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Traces {
    /// Sends spans to the collector at `url`, such as `http://localhost:4318/v1/traces`, and begins traces for
    /// `share` of the requests that belong to none.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn start(url: &str, share: f64) -> Result<Self, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(url)
            .with_timeout(BATCH_WITHIN);
        let exporter = exporter
            .build()
            .map_err(|error| format!("traces cannot be sent to {url}: {error}"))?;
        Self::with_exporter(exporter, share)
            .map_err(|error| format!("the thread that sends traces cannot be had: {error}"))
    }

    fn with_exporter(mut exporter: impl SendSpans + 'static, share: f64) -> std::io::Result<Self> {
        let resource = resource();
        exporter.set_resource(&resource);
        let counts = Arc::new(SpanCounts::default());
        let sender = QueuedSender::start(exporter, Arc::clone(&counts))?;
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share)));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(sampler)
            .with_span_processor(sender)
            .build();
        Ok(Self {
            tracer: provider.tracer("tidemark"),
            provider,
            counts,
        })
    }

    /// What became of the spans.
    #[must_use]
    pub fn counts(&self) -> &SpanCounts {
        &self.counts
    }

    /// The span of a request with these headers, if it is sampled; only then is it named.
    #[must_use]
    pub fn begin<'a>(
        self: &Arc<Self>,
        headers: &HeaderMap,
        named: impl FnOnce() -> Named<'a>,
    ) -> Option<RequestSpan> {
        let parent = match headers.contains_key(PARENT) {
            true => parent_of(headers),
            false => Context::new(),
        };
        let builder = self
            .tracer
            .span_builder("request")
            .with_kind(SpanKind::Server);
        let mut span = self.tracer.build_with_context(builder, &parent);
        if !span.is_recording() {
            return None;
        }
        let named = named();
        span.update_name(format!("{} {}", named.method, named.route));
        span.set_attributes([
            KeyValue::new("http.request.method", named.method.to_owned()),
            KeyValue::new("http.route", named.route),
            KeyValue::new("url.path", named.path.to_owned()),
        ]);
        Some(RequestSpan {
            context: parent.with_span(span),
            work: named.work,
            traces: Arc::clone(self),
        })
    }

    /// Sends what waits and ends. May take some seconds.
    pub fn flush(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSHED_WITHIN) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

fn resource() -> Resource {
    let named = std::env::var_os("OTEL_SERVICE_NAME").is_some();
    let builder = Resource::builder();
    let builder = match named {
        true => builder,
        false => builder.with_service_name("tidemark"),
    };
    builder
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

fn parent_of(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers))
}

/// The id of the trace that a caller says its request belongs to, as 32 hexadecimal digits.
#[must_use]
pub fn trace_id(headers: &HeaderMap) -> Option<String> {
    if !headers.contains_key(PARENT) {
        return None;
    }
    let parent = parent_of(headers);
    let parent = parent.span().span_context().clone();
    parent.is_valid().then(|| parent.trace_id().to_string())
}

/// The span of a request that is sampled. It ends with its last clone.
#[derive(Clone)]
pub struct RequestSpan {
    context: Context,
    work: &'static str,
    traces: Arc<Traces>,
}

impl fmt::Debug for RequestSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestSpan").field(&self.of()).finish()
    }
}

impl RequestSpan {
    fn of(&self) -> SpanContext {
        self.context.span().span_context().clone()
    }

    /// The id of its trace, as 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        self.of().trace_id().to_string()
    }

    /// Begins the span of a part of the request.
    pub fn part(&self, name: &'static str) -> PartSpan {
        let tracer = &self.traces.tracer;
        PartSpan(tracer.build_with_context(tracer.span_builder(name), &self.context))
    }

    /// As [`RequestSpan::part`] of the computation.
    pub fn work(&self) -> PartSpan {
        self.part(self.work)
    }

    /// Notes how the request is answered.
    pub fn answered(&self, status: StatusCode, request_id: &str) {
        let span = self.context.span();
        span.set_attributes([
            KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
            KeyValue::new("tidemark.request_id", request_id.to_owned()),
        ]);
        if status.is_server_error() {
            span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            span.set_status(Status::error(""));
        }
    }
}

/// The span of a part of a request. It ends when it is dropped.
#[must_use]
pub struct PartSpan(#[expect(dead_code, reason = "its end is what matters")] SdkSpan);
