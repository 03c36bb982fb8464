//! What passes, what is refused, and that neither depends on how the bytes come.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What is left of `text` when it comes in pieces of `piece` bytes.
fn passed(text: &str, piece: usize) -> (String, bool) {
    let mut framing = Framing::default();
    let mut bytes = text.as_bytes().to_vec();
    bytes
        .chunks_mut(piece)
        .for_each(|piece| framing.pass(piece));
    (String::from_utf8(bytes).unwrap(), framing.is_refused())
}

#[test]
fn requests_pass_as_they_are_however_they_are_cut() {
    let requests = [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\na\nb\n\n\nc",
        "POST / HTTP/1.1\r\nCONTENT-length:\t 007 \r\nHost: x\r\n\r\na\nb\n\n\nc",
        "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\n\n\n\n\r\nA \r\n0123456789\r\n0\r\nX: y\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "GET HTTP://X:80?a HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\n\n",
    ];
    let all = requests.concat();
    for piece in 1..all.len() {
        assert_eq!(passed(&all, piece), (all.clone(), false), "{piece}");
    }
    let long = format!("GET / HTTP/1.1\r\nCookie: {}\r\n\r\n", "x".repeat(5_000));
    assert_eq!(passed(&long, 700), (long.clone(), false));
}

#[test]
fn what_is_not_a_request_is_refused_however_it_is_cut() {
    let head = |fields: &str| format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
    let chunked = |body: &str| format!("{}{body}", head("Transfer-Encoding: chunked"));
    let refused = [
        "GET / HTTP/1.1\nHost: x\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x\r\n\n".to_owned(),
        "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        head("Content-Length: 1\r\nContent-Length: 1"),
        head("Content-Length: 1\r\nTransfer-Encoding: chunked"),
        head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        head("Transfer-Encoding: xchunked"),
        head("Content-Length: +1"),
        head("Content-Length: 18446744073709551616"),
        head("Content-Length : 1"),
        head(" Content-Length: 1"),
        head("no colon"),
        head("Host: a b"),
        head("Host:"),
        head("Upgrade: h2c, WebSocket"),
        "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n".to_owned(),
        "GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET http://u@x/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET http://x\r\nHost: x\r\n\r\n".to_owned(),
        format!(
            "GET http://{0}y/ HTTP/1.1\r\nHost: {0}\r\n\r\n",
            "x".repeat(501)
        ),
        chunked("5\nhello\r\n0\r\n\r\n"),
        chunked("5\r\nhello\n0\r\n\r\n"),
        chunked("5\r\nhelloX\r\n0\r\n\r\n"),
        chunked("\r\n"),
        chunked("-1\r\n"),
        chunked("fffffffffffffff\r\n"),
        chunked(&format!("5;{}\r\n", "x".repeat(CHUNK_LINE_MAX))),
        chunked("0\r\nX: y\n\r\n"),
        chunked("0\r\n\n"),
        chunked(&format!("0\r\n{}", "X: y\r\n".repeat(TRAILERS_MAX / 6 + 1))),
        chunked(&format!("0\r\nX: {}", "y".repeat(TRAILERS_MAX))),
    ];
    for text in refused {
        for piece in [1, 2, 3, 7, 50, text.len()] {
            let (left, is_refused) = passed(&format!("{text}GET /next HTTP/1.1\r\n\r\n"), piece);
            assert!(is_refused, "{piece}: {text:?}");
            assert!(!left.contains("/next"), "{piece}: {left:?}");
        }
    }
}

/// Text that means something to the reader, right and wrong, and some that means nothing.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.1\r\n",
        "GET http://x/ HTTP/1.1\r\n",
        "CONNECT x:80 HTTP/1.1\r\n",
        "Host: x\r\n",
        "Host: y\r\n",
        "Host: a b\r\n",
        "Content-Length: 3\r\n",
        "content-length:0\r\n",
        "Content-Length : 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Upgrade: websocket\r\n",
        "X: y\r\n",
        "X: y\n",
        "\r\n",
        "\n",
        "\r",
        "abc",
        "3\r\nabc\r\n",
        "a;b=c\r\n0123456789\r\n",
        "0\r\n",
        ":",
        " ",
    ]);
    let known = known.prop_map(|text| text.as_bytes().to_vec());
    let long = (500..530_usize, any::<bool>()).prop_map(|(n, is_host)| {
        let name = if is_host { "Host" } else { "Cookie" };
        format!("{name}: {}\r\n", "x".repeat(n)).into_bytes()
    });
    let longer = (0..3_usize, "[;\r\n]{0,3}")
        .prop_map(|(n, end)| format!("0;{}{end}", "x".repeat(n * 4_000)).into_bytes());
    prop_oneof![
        20 => known,
        1 => long,
        1 => longer,
        1 => vec(any::<u8>(), 0..6),
    ]
}

/// Pieces, most of them behind the begin of a request, so that its later parts are met, too.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let begin = prop::sample::select(vec![
        "",
        "POST / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    ]);
    (begin, vec(piece(), 0..12))
        .prop_map(|(begin, pieces)| [begin.as_bytes(), &pieces.concat()].concat())
}

/// What is left of `bytes` when they come in `reads`, the last of which has the rest.
fn left(bytes: &[u8], reads: impl IntoIterator<Item = usize>) -> (Vec<u8>, bool) {
    let mut framing = Framing::default();
    let mut bytes = bytes.to_vec();
    let mut rest = &mut bytes[..];
    for n in reads {
        let (read, more) = rest.split_at_mut(n.min(rest.len()));
        framing.pass(read);
        rest = more;
    }
    framing.pass(rest);
    (bytes, framing.is_refused())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Lines that come whole are read in place, others from a copy: both are read alike, and the same bytes are changed.
    #[test]
    fn how_bytes_come_changes_nothing(
        bytes in stream(),
        reads in vec(prop_oneof![0..8_usize, 0..600_usize], 0..40),
    ) {
        let whole = left(&bytes, []);
        prop_assert_eq!(&left(&bytes, reads), &whole);
        prop_assert_eq!(&left(&bytes, std::iter::repeat_n(1, bytes.len())), &whole);
        let (changed, is_refused) = whole;
        let first = changed.iter().zip(&bytes).position(|(now, before)| now != before);
        // Up to there the bytes are as they came, and nothing passes behind it.
        let Some(first) = first else { return Ok(()); };
        prop_assert!(is_refused);
        prop_assert!(changed[first + 1..].iter().all(|byte| *byte == REFUSED));
    }
}
