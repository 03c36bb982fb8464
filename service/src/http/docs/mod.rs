//! `GET /docs`: the document of `/openapi.json` in Swagger UI, from files in the binary.
//!
//! Nothing is loaded from another address: the page's policy forbids it, so that a server without a way out shows
//! the same.

use std::io::Read;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use api::{Code, Rejection};
use bytes::Bytes;
use flate2::read::GzDecoder;

use super::Call;

/// Swagger UI writes styles into its page, and shows images that stand in it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// How a file is stored.
enum Content {
    Plain(&'static str),
    /// By gzip.
    Packed(&'static [u8]),
}

use Content::{Packed, Plain};

/// Files by name, with their media types.
const FILES: [(&str, &str, Content); 4] = [
    (
        "swagger-ui-bundle.js",
        "text/javascript; charset=utf-8",
        Packed(include_bytes!(concat!(
            env!("OUT_DIR"),
            "/swagger-ui-bundle.js.gz"
        ))),
    ),
    (
        "swagger-ui.css",
        "text/css; charset=utf-8",
        Packed(include_bytes!(concat!(
            env!("OUT_DIR"),
            "/swagger-ui.css.gz"
        ))),
    ),
    (
        "tidemark.js",
        "text/javascript; charset=utf-8",
        Plain(include_str!("tidemark.js")),
    ),
    (
        "tidemark.css",
        "text/css; charset=utf-8",
        Plain(include_str!("tidemark.css")),
    ),
];

/// Names of the files, as the document lists them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, ..)| *name)
}

/// Answers with the page.
pub(super) fn page(call: &Call<'_>) -> Result<HttpResponse, Rejection> {
    api::query::read(call.request.query_string(), [])?;
    let mut reply = reply("text/html; charset=utf-8");
    reply.insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    Ok(reply.body(include_str!("index.html")))
}

/// Answers with a file of the page.
pub(super) fn file(call: &Call<'_>, name: &str) -> Result<HttpResponse, Rejection> {
    let found = FILES.iter().find(|(of, ..)| *of == name);
    let Some((_, media_type, content)) = found else {
        let detail = format!("/docs has no file {name:?}");
        return Err(Rejection::new(Code::NotFound, detail));
    };
    let mut reply = reply(media_type);
    // Their names do not change with their content: asked for again after an hour.
    reply.insert_header((header::CACHE_CONTROL, "max-age=3600"));
    Ok(match content {
        Plain(text) => reply.body(*text),
        Packed(bytes) => {
            reply.insert_header((header::VARY, "Accept-Encoding"));
            if takes_gzip(call.request.headers()) {
                reply.insert_header((header::CONTENT_ENCODING, "gzip"));
                reply.body(Bytes::from_static(bytes))
            } else {
                reply.body(unpacked(bytes))
            }
        }
    })
}

fn reply(media_type: &'static str) -> actix_web::HttpResponseBuilder {
    let mut reply = HttpResponse::Ok();
    reply
        .content_type(media_type)
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    reply
}

/// Whether the caller says so and does not take it back (RFC 9110, 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let said = headers.get_all(header::ACCEPT_ENCODING);
    let said = said.filter_map(|value| HeaderValue::to_str(value).ok());
    said.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
        name.trim().eq_ignore_ascii_case("gzip") && weight.parse().is_ok_and(|q: f32| q > 0.0)
    })
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let read = GzDecoder::new(bytes).read_to_end(&mut plain);
    read.expect("the build packed it");
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_page_has_another_address() {
        let own = [
            include_str!("index.html"),
            include_str!("tidemark.js"),
            include_str!("tidemark.css"),
        ];
        for text in own {
            assert!(!text.contains("//") || text.starts_with("// "), "{text}");
            assert!(!text.contains("http"), "{text}");
        }
    }

    #[test]
    fn packed_files_are_whole() {
        for (name, _, content) in FILES {
            if let Packed(bytes) = content {
                let plain = String::from_utf8(unpacked(bytes)).expect("it is text");
                assert!(plain.len() > 100_000, "{name} has {} bytes", plain.len());
            }
        }
    }

    #[test]
    fn gzip_is_for_who_takes_it() {
        let takes = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            takes_gzip(&headers)
        };
        assert!(takes("gzip") && takes("br, GZIP;q=0.5") && takes("deflate,gzip;q=1"));
        assert!(!takes("br") && !takes("gzip;q=0") && !takes("") && !takes("gzip;q=0.000"));
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
