//! Content codings of request bodies: inflated as they arrive, a little at a time, in bounded memory.
//!
//! What is inflated is never more than was asked for next, so that a body that grows a thousandfold costs what one of
//! its inflated size would. How much of it is read is for who reads it to limit.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpRequest;
use actix_web::http::header;
use api::{Code, Rejection};
use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::Bytes;
use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::StreamReader;

/// The codings that are read, as `Accept-Encoding` lists them.
pub(super) const READ: &str = "gzip, zstd";

/// Bytes that are inflated at once: a tenth of a millisecond for the others of the thread.
const INFLATED_BYTES: usize = 32 * 1024;

/// Of the window that a zstd frame looks back into: 8 MiB, what RFC 9659 has for HTTP. It is memory of ours.
const WINDOW_LOG_MAX: u32 = 23;

/// How a body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Zstd,
}

impl Coding {
    /// The coding of the body of `request`, if it has one.
    ///
    /// # Errors
    /// `unsupported_media_type` for a coding that is not read, and for two: nobody means to.
    pub(super) fn of(request: &HttpRequest) -> Result<Option<Self>, Rejection> {
        let mut coding = None;
        for value in request.headers().get_all(header::CONTENT_ENCODING) {
            let value = value.to_str().unwrap_or("not text");
            for name in value.split(',').map(str::trim) {
                let name = name.to_ascii_lowercase();
                let found = match name.as_str() {
                    "identity" => continue,
                    "gzip" | "x-gzip" => Self::Gzip,
                    "zstd" => Self::Zstd,
                    _ => return Err(refused(value)),
                };
                if coding.replace(found).is_some() {
                    return Err(refused(value));
                }
            }
        }
        Ok(coding)
    }

    /// Bytes that stay in memory while a body is inflated, beside what is made of them.
    pub(super) const fn held_bytes(self) -> usize {
        match self {
            Self::Gzip => 64 * 1024,
            Self::Zstd => 1 << WINDOW_LOG_MAX,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

fn refused(value: &str) -> Rejection {
    let detail = format!(
        "Content-Encoding {value:?} is not read: send the body as it is, or with one of {READ}"
    );
    Rejection::new(Code::UnsupportedMediaType, detail)
}

/// A body inflated, or as it is.
pub(super) enum Inflated<S: Stream<Item = Result<Bytes, Rejection>> + Unpin> {
    Plain(S),
    Coded(Box<Decoder<S>>),
}

/// What inflates.
pub(super) struct Decoder<S: Stream<Item = Result<Bytes, Rejection>> + Unpin> {
    coding: Coding,
    reader: Reader<S>,
    buffer: Box<[u8; INFLATED_BYTES]>,
    is_ended: bool,
}

enum Reader<S: Stream<Item = Result<Bytes, Rejection>> + Unpin> {
    Gzip(GzipDecoder<StreamReader<Source<S>, Bytes>>),
    Zstd(ZstdDecoder<StreamReader<Source<S>, Bytes>>),
}

impl<S: Stream<Item = Result<Bytes, Rejection>> + Unpin> Inflated<S> {
    /// The content of `body`, which is coded like this.
    pub(super) fn new(body: S, coding: Option<Coding>) -> Self {
        let Some(coding) = coding else {
            return Self::Plain(body);
        };
        let source = StreamReader::new(Source(body));
        let reader = match coding {
            Coding::Gzip => {
                let mut decoder = GzipDecoder::new(source);
                // RFC 1952 (2.2) has a file of several members for one.
                decoder.multiple_members(true);
                Reader::Gzip(decoder)
            }
            Coding::Zstd => {
                let window = DParameter::window_log_max(WINDOW_LOG_MAX);
                let mut decoder = ZstdDecoder::with_params(source, &[window]);
                decoder.multiple_members(true);
                Reader::Zstd(decoder)
            }
        };
        Self::Coded(Box::new(Decoder {
            coding,
            reader,
            buffer: Box::new([0; INFLATED_BYTES]),
            is_ended: false,
        }))
    }

    /// The next bytes; none after the last.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, Rejection>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next bytes if they are here.
    pub(super) async fn now(&mut self) -> Option<Option<Result<Bytes, Rejection>>> {
        poll_fn(|cx| match Pin::new(&mut *self).poll_next(cx) {
            Poll::Ready(chunk) => Poll::Ready(Some(chunk)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}

impl<S: Stream<Item = Result<Bytes, Rejection>> + Unpin> Stream for Inflated<S> {
    type Item = Result<Bytes, Rejection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut *self {
            Self::Plain(body) => Pin::new(body).poll_next(cx),
            Self::Coded(decoder) => decoder.poll_next(cx),
        }
    }
}

impl<S: Stream<Item = Result<Bytes, Rejection>> + Unpin> Decoder<S> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Rejection>>> {
        if self.is_ended {
            return Poll::Ready(None);
        }
        let mut buffer = ReadBuf::new(&mut self.buffer[..]);
        let read = match &mut self.reader {
            Reader::Gzip(reader) => Pin::new(reader).poll_read(cx, &mut buffer),
            Reader::Zstd(reader) => Pin::new(reader).poll_read(cx, &mut buffer),
        };
        let inflated = buffer.filled();
        match read {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) if !inflated.is_empty() => {
                return Poll::Ready(Some(Ok(Bytes::copy_from_slice(inflated))));
            }
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => {
                self.is_ended = true;
                return Poll::Ready(Some(Err(self.broken(error))));
            }
        }
        self.is_ended = true;
        Poll::Ready(None)
    }

    fn broken(&self, error: io::Error) -> Rejection {
        let name = self.coding.name();
        let error = match error.downcast::<Unread>() {
            Ok(Unread(rejection)) => return rejection,
            Err(error) => error,
        };
        let detail = match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("the body ends in the middle of its {name}"),
            _ => format!("the body is not whole {name}: {error}"),
        };
        Rejection::new(Code::MalformedRequest, detail)
    }
}

/// What the decoders read.
struct Source<S>(S);

impl<S: Stream<Item = Result<Bytes, Rejection>> + Unpin> Stream for Source<S> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = Pin::new(&mut self.0).poll_next(cx);
        chunk.map_err(|rejection| io::Error::other(Unread(rejection)))
    }
}

/// Why a body could not be read, on its way through a decoder.
#[derive(Debug, thiserror::Error)]
#[error("the body could not be read")]
struct Unread(Rejection);

#[cfg(test)]
mod tests;
