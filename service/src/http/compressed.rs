//! Replies compressed for who asks for it: long ones as a whole, lines a piece at a time.

use std::io::{self, Write};

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::header::{
    self, AcceptEncoding, ContentEncoding, Encoding, Header, HeaderValue, Preference,
};
use api::Rejection;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Call, convert, ok_held};
use crate::admission::Ticket;
use crate::compute::POOL_FROM_BYTES;

/// A shorter reply is one packet as it is.
const FROM_BYTES: usize = 1_024;
/// What an encoder holds: its window, its tables, what it has not written.
const HELD_BYTES: usize = 2 * 1024 * 1024;
/// Levels at which the network is waited for and not the encoder.
const GZIP_LEVEL: u32 = 1;
const ZSTD_LEVEL: i32 = 1;

/// A compressed reply, as far as it is written.
pub(super) enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    /// As the client would like it; none if it would not, or does not say.
    pub(super) fn asked(request: &HttpRequest) -> Option<Self> {
        if !request.headers().contains_key(header::ACCEPT_ENCODING) {
            return None;
        }
        let asked = AcceptEncoding::parse(request).ok()?;
        // Of the wildcard nobody is surprised by a reply as it is.
        let is_named = asked
            .iter()
            .any(|item| matches!(item.item, Preference::Specific(_)));
        let offers = [Encoding::gzip(), Encoding::zstd(), Encoding::identity()];
        match asked.negotiate(offers.iter()).filter(|_| is_named)? {
            Encoding::Known(ContentEncoding::Gzip) => {
                let level = Compression::new(GZIP_LEVEL);
                Some(Self::Gzip(GzEncoder::new(Vec::new(), level)))
            }
            Encoding::Known(ContentEncoding::Zstd) => {
                let encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL);
                encoder.ok().map(Self::Zstd)
            }
            _ => None,
        }
    }

    /// Bytes that it holds.
    pub(super) const fn held_bytes() -> usize {
        HELD_BYTES
    }

    /// Its name.
    pub(super) const fn name(&self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
        })
    }

    /// Compresses `bytes` so that all of them can be read from what was written by then.
    pub(super) fn piece(&mut self, bytes: &[u8]) -> Bytes {
        let written = match self {
            Self::Gzip(encoder) => all(encoder, bytes).map(|()| encoder.get_mut()),
            Self::Zstd(encoder) => all(encoder, bytes).map(|()| encoder.get_mut()),
        };
        let written = written.expect("memory takes all that is written");
        std::mem::take(written).into()
    }

    /// The end of the reply.
    pub(super) fn end(self) -> Bytes {
        let end = match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        };
        end.expect("memory takes all that is written").into()
    }
}

fn all(encoder: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    encoder.write_all(bytes)?;
    encoder.flush()
}

/// A reply of this media type with status 200, compressed if it is long and the client would like it so.
pub(super) async fn ok(
    call: &Call<'_>,
    ticket: &mut Ticket,
    media_type: &'static str,
    body: Bytes,
) -> Result<HttpResponse, Rejection> {
    if body.len() < FROM_BYTES {
        return Ok(ok_held(body, media_type, ticket));
    }
    let mut reply = match Encoder::asked(call.request) {
        None => ok_held(body, media_type, ticket),
        Some(mut encoder) => {
            let (is_long, name) = (body.len() >= POOL_FROM_BYTES, encoder.name());
            let work = move || [encoder.piece(&body), encoder.end()].concat();
            let body = match is_long {
                false => work(),
                true => {
                    let run = call.state.compute.run(ticket, work).await;
                    run.map_err(convert::compute_rejection)?
                }
            };
            let mut reply = ok_held(body.into(), media_type, ticket);
            reply.headers_mut().insert(header::CONTENT_ENCODING, name);
            reply
        }
    };
    vary(&mut reply);
    Ok(reply)
}

/// Says that another client may be answered otherwise.
pub(super) fn vary(reply: &mut HttpResponse) {
    let by = HeaderValue::from_static("accept, accept-encoding");
    reply.headers_mut().insert(header::VARY, by);
}
