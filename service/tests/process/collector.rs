//! A collector of traces: takes OTLP over HTTP and keeps the spans.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
pub(crate) use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

#[derive(Clone, Default)]
struct Taken {
    spans: Arc<Mutex<Vec<Span>>>,
    resource: Arc<Mutex<Vec<KeyValue>>>,
}

pub(crate) struct Collector {
    addr: SocketAddr,
    taken: Taken,
}

impl Collector {
    /// Takes spans until the test ends.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port can be had");
        let addr = listener.local_addr().expect("it is bound");
        let taken = Taken::default();
        let shared = taken.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let taken = shared.clone();
                std::thread::spawn(move || while take(&stream, &taken).is_ok() {});
            }
        });
        Self { addr, taken }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The spans taken so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.taken
            .spans
            .lock()
            .expect("no test panics in it")
            .clone()
    }

    /// What the server says of itself.
    pub(crate) fn resource(&self) -> Vec<KeyValue> {
        self.taken
            .resource
            .lock()
            .expect("no test panics in it")
            .clone()
    }
}

/// The attribute `key` as text.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|it| it.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{key}: {other:?}"),
    }
}

/// One request of the server.
fn take(stream: &TcpStream, taken: &Taken) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(
        head.contains("content-type: application/x-protobuf"),
        "{head}"
    );
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length
        .and_then(|n| n.parse().ok())
        .expect("it says how much");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request =
        ExportTraceServiceRequest::decode(body.as_slice()).expect("it is of the protocol");
    for resource_spans in request.resource_spans {
        let resource = resource_spans.resource.unwrap_or_default();
        *taken.resource.lock().expect("no test panics in it") = resource.attributes;
        let spans = resource_spans
            .scope_spans
            .into_iter()
            .flat_map(|it| it.spans);
        taken
            .spans
            .lock()
            .expect("no test panics in it")
            .extend(spans);
    }
    let mut writer = stream;
    writer.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n",
    )
}
