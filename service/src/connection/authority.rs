//! What stands in `Host` and in an absolute target.

/// Whether `text` is `uri-host [":" port]` (RFC 9110, section 7.2) with a host.
pub(super) fn is_authority(text: &[u8]) -> bool {
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
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
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

/// Whether both name one authority, where a port that is left out is `default`.
pub(super) fn is_same(one: &[u8], other: &[u8], default: u16) -> bool {
    let told = |text| {
        let (host, port) = split(text);
        (host, port.and_then(parse_port).unwrap_or(default))
    };
    let ((one, one_port), (other, other_port)) = (told(one), told(other));
    one.eq_ignore_ascii_case(other) && one_port == other_port
}

#[cfg(test)]
mod tests {
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
    fn a_default_port_may_be_left_out() {
        for (one, other, default) in [
            ("x", "X", 80),
            ("x:80", "x", 80),
            ("x", "x:443", 443),
            ("x:", "x", 80),
        ] {
            assert!(
                is_same(one.as_bytes(), other.as_bytes(), default),
                "{one} {other}"
            );
        }
        for (one, other, default) in [("x", "y", 80), ("x:81", "x", 80), ("x", "x:80", 443)] {
            assert!(
                !is_same(one.as_bytes(), other.as_bytes(), default),
                "{one} {other}"
            );
        }
    }
}
