//! What a reply is made of, by the `Accept` of the request (RFC 9110, section 12.5.1).

use actix_web::HttpRequest;
use actix_web::http::header::{self, Accept, Header, Quality};
use api::{Code, Rejection};

pub(super) const JSON: &str = "application/json";
pub(super) const CSV: &str = "text/csv";

/// The one of `offers` that the client likes best, the first of those that it likes alike. Who does not say, or not in
/// words that can be read, takes anything.
///
/// # Errors
/// `not_acceptable` when it takes none of them.
pub(super) fn choose(
    request: &HttpRequest,
    offers: &[&'static str],
) -> Result<&'static str, Rejection> {
    let first = offers[0];
    if !request.headers().contains_key(header::ACCEPT) {
        return Ok(first);
    }
    let Ok(accept) = Accept::parse(request) else {
        return Ok(first);
    };
    if accept.is_empty() {
        return Ok(first);
    }
    let mut best: Option<(Quality, &'static str)> = None;
    for offer in offers {
        let quality = quality(&accept, offer);
        if quality > Quality::ZERO && best.is_none_or(|(other, _)| quality > other) {
            best = Some((quality, offer));
        }
    }
    best.map(|(_, offer)| offer).ok_or_else(|| {
        let detail = format!("this is answered as {}", offers.join(" or "));
        Rejection::new(Code::NotAcceptable, detail)
    })
}

/// How much the client likes `offer`, by the most specific range that has it.
fn quality(accept: &Accept, offer: &str) -> Quality {
    let (kind, sub) = offer.split_once('/').unwrap_or((offer, ""));
    let ranges = accept.iter().filter_map(|range| {
        let (name, subtype) = (range.item.type_().as_str(), range.item.subtype());
        let subtype = match range.item.suffix() {
            Some(suffix) => format!("{subtype}+{suffix}"),
            None => subtype.to_string(),
        };
        // Parameters such as a charset say how, and there is one way.
        let specific = match (name, subtype.as_str()) {
            ("*", "*") => 0,
            (name, "*") if name == kind => 1,
            (name, subtype) if name == kind && subtype == sub => 2,
            _ => return None,
        };
        Some((specific, range.quality))
    });
    let best = ranges.max_by_key(|(specific, _)| *specific);
    best.map_or(Quality::ZERO, |(_, quality)| quality)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_client_chooses_among_what_there_is() {
        let chosen = |accept: &str| {
            let request = TestRequest::default().insert_header((header::ACCEPT, accept));
            choose(&request.to_http_request(), &[JSON, CSV]).ok()
        };
        for (accept, expected) in [
            ("", Some(JSON)),
            ("*/*", Some(JSON)),
            ("application/json", Some(JSON)),
            ("application/*", Some(JSON)),
            ("text/csv", Some(CSV)),
            ("Text/CSV; charset=utf-8", Some(CSV)),
            ("text/*", Some(CSV)),
            ("text/csv, application/json", Some(JSON)),
            ("text/csv, application/json;q=0.9", Some(CSV)),
            (
                "application/json;q=0.2, text/csv;q=0.3, */*;q=0.1",
                Some(CSV),
            ),
            ("*/*, application/json;q=0", Some(CSV)),
            ("text/html, */*;q=0.1", Some(JSON)),
            ("text/html, application/xml", None),
            ("text/csv;q=0", None),
            ("*/*;q=0", None),
        ] {
            assert_eq!(chosen(accept), expected, "{accept:?}");
        }
        let silent = TestRequest::default().to_http_request();
        assert_eq!(choose(&silent, &[CSV, JSON]), Ok(CSV));
    }
}
