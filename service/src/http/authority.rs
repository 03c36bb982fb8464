//! Whether a request says clearly for whom it is, and where it ends.
//!
//! What a proxy in front and this server understand differently is how requests are smuggled past the proxy
//! (RFC 9112, section 11.2). The framework refuses most of it; this is what it leaves.

use actix_web::HttpRequest;
use actix_web::http::{Method, Uri, header};
use api::{Code, FieldError, Loc, Rejection};

/// Checks `Host`, the authority of an absolute target, and that the request has an end.
///
/// # Errors
/// `malformed_request`, located at the header field where there is one. The connection has to be closed.
pub(super) fn check(request: &HttpRequest) -> Result<(), Rejection> {
    let headers = request.headers();
    let mut hosts = headers.get_all(header::HOST);
    // HTTP/1.0 has no Host; of HTTP/1.1 without one the framework has refused the head.
    let host = hosts.next().map(header::HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Err(at("Host", "it is given twice"));
    }
    if host.is_some_and(|host| !is_authority(host)) {
        return Err(at(
            "Host",
            "it is not a name or an address with a port or without",
        ));
    }
    if let Some(authority) = request.uri().authority() {
        let named = authority.as_str().as_bytes();
        if !is_authority(named) {
            let reason = "the authority of the target is not a name or an address";
            return Err(Rejection::new(Code::MalformedRequest, reason));
        }
        if host.is_some_and(|host| !is_same(request.uri(), named, host)) {
            return Err(at("Host", "it is not the authority of the target"));
        }
    }
    // The framework takes the rest of the connection for the body of these two, whatever length they tell.
    if request.method() == Method::CONNECT {
        return Err(Rejection::new(
            Code::MalformedRequest,
            "there are no tunnels here",
        ));
    }
    let is_websocket = |value: &header::HeaderValue| {
        let mut protocols = value.as_bytes().split(|byte| *byte == b',');
        protocols.any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
    };
    if headers.get_all(header::UPGRADE).any(is_websocket) {
        return Err(at("Upgrade", "there are no web sockets here"));
    }
    Ok(())
}

/// Whether `text` is `uri-host [":" port]` (RFC 9110, section 7.2) with a host.
fn is_authority(text: &[u8]) -> bool {
    let (host, port) = split(text);
    let is_port = port.is_none_or(|port| {
        let digits = port.iter().all(u8::is_ascii_digit);
        digits && (port.is_empty() || parse_port(port).is_some())
    });
    let is_host = match host
        .strip_prefix(b"[")
        .and_then(|rest| rest.strip_suffix(b"]"))
    {
        Some(address) => std::str::from_utf8(address)
            .is_ok_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
        None => !host.is_empty() && host.iter().all(|byte| is_of_name(*byte)),
    };
    is_host && is_port
}

/// Bytes of a registered name. No percent-encoding: no name that is asked here needs it.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Host and port; a colon within brackets is part of the host.
fn split(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let after = text
        .iter()
        .rposition(|byte| *byte == b']')
        .map_or(0, |at| at + 1);
    match text[after..].iter().position(|byte| *byte == b':') {
        Some(colon) => (&text[..after + colon], Some(&text[after + colon + 1..])),
        None => (text, None),
    }
}

fn parse_port(digits: &[u8]) -> Option<u16> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether both name one authority under the scheme of `target`.
fn is_same(target: &Uri, one: &[u8], other: &[u8]) -> bool {
    let default = if target.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let told = |text| {
        let (host, port) = split(text);
        (host, port.and_then(parse_port).unwrap_or(default))
    };
    let ((one, one_port), (other, other_port)) = (told(one), told(other));
    one.eq_ignore_ascii_case(other) && one_port == other_port
}

fn at(name: &str, reason: &str) -> Rejection {
    let error = FieldError::new([Loc::from("header"), Loc::from(name)], reason);
    Rejection::one(Code::MalformedRequest, error)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for host in [
            "a",
            "localhost",
            "LocalHost:8000",
            "10.0.0.1",
            "10.0.0.1:",
            "[::1]",
            "[::1]:80",
            "a-b.c_d:65535",
        ] {
            assert!(is_authority(host.as_bytes()), "{host}");
        }
        for host in [
            "", ":80", "a b", "a,b", "a/b", "a@b", "u:p@b", "a:65536", "a:-1", "a:+1", "a:b",
            "a:1:2", "[::1", "::1", "[::1]x", "[a]", "[]", "a\\b", "a?b", "a#b", "ä", "%61", "a\t",
        ] {
            assert!(!is_authority(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn an_absolute_target_names_the_host() {
        let check = |target: &str, host: &str| {
            let request = TestRequest::with_uri(target).insert_header((header::HOST, host));
            check(&request.to_http_request()).is_ok()
        };
        for (target, host) in [
            ("/fit/a", "x"),
            ("http://x/fit/a", "X"),
            ("http://x:80/fit/a", "x"),
            ("http://x/fit/a", "x:80"),
            ("https://x/fit/a", "x:443"),
        ] {
            assert!(check(target, host), "{target} {host}");
        }
        for (target, host) in [
            ("http://x/fit/a", "y"),
            ("http://x:81/fit/a", "x"),
            ("http://u@x/fit/a", "x"),
            ("https://x/fit/a", "x:80"),
        ] {
            assert!(!check(target, host), "{target} {host}");
        }
    }

    #[test]
    fn what_would_have_no_end_is_refused() {
        let request = |value: &str| {
            let request = TestRequest::post().insert_header((header::UPGRADE, value));
            check(&request.to_http_request()).is_ok()
        };
        assert!(request("h2c"));
        assert!(!request("websocket") && !request("h2c, WebSocket"));
        let connect = TestRequest::default().method(Method::CONNECT);
        assert!(check(&connect.to_http_request()).is_err());
    }
}
