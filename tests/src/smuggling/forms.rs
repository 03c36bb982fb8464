//! Requests that two parsers may read as different ones, and such as are none.

/// What is tried to be smuggled in: a fit, which the store would show.
pub(crate) fn smuggled() -> String {
    post("/fit/smuggled", BODY)
}

/// A history that can be fitted.
pub(crate) const BODY: &str = r#"{"timestamps":[1,2,3],"values":[1,2,4]}"#;

pub(crate) fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A form that must be refused.
pub(crate) struct Form {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

fn form(name: impl Into<String>, bytes: impl AsRef<[u8]>) -> Form {
    Form {
        name: name.into(),
        bytes: bytes.as_ref().to_vec(),
    }
}

/// Everything that must be refused, with the smuggled request behind it or in it.
pub(crate) fn all() -> Vec<Form> {
    let mut forms = lengths();
    forms.extend(codings());
    forms.extend(chunks());
    forms.extend(line_ends());
    forms.extend(fields());
    forms.extend(hosts());
    forms.extend(request_lines());
    forms.extend(bombs());
    forms
}

/// A fit of another series with `fields`, and the smuggled one as its body or after it.
fn with_fields(name: impl Into<String>, fields: &str) -> Form {
    let head = format!("POST /fit/front HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n");
    form(name, format!("{head}{}", smuggled()))
}

fn lengths() -> Vec<Form> {
    let n = smuggled().len();
    let values = [
        "+39",
        "-39",
        "-1",
        "0x27",
        "39 39",
        "39,39",
        "39, 40",
        "39a",
        "a",
        "",
        " ",
        "\"39\"",
        "39.0",
        "3.9e1",
        "0_39",
        "18446744073709551616",
        "99999999999999999999999999",
        "٣٩",
        "39;",
        "0,0",
    ];
    let mut forms: Vec<Form> = values
        .iter()
        .map(|value| {
            with_fields(
                format!("Content-Length {value:?}"),
                &format!("Content-Length: {value}"),
            )
        })
        .collect();
    let pairs = [("39", "39"), ("0", "0"), ("0", "39"), ("39", "0")];
    forms.extend(pairs.iter().map(|(one, other)| {
        let fields = format!("Content-Length: {one}\r\ncontent-length: {other}");
        with_fields(format!("Content-Length {one} and {other}"), &fields)
    }));
    let both = [
        format!("Content-Length: {n}\r\nTransfer-Encoding: chunked"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {n}"),
        "Content-Length: 0\r\nTransfer-Encoding: chunked".to_owned(),
    ];
    forms.extend(both.iter().map(|fields| {
        let head = format!("POST /fit/front HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n");
        form(
            format!("{fields:?}"),
            format!("{head}0\r\n\r\n{}", smuggled()),
        )
    }));
    forms
}

fn codings() -> Vec<Form> {
    let values = [
        "chunked, chunked",
        "xchunked",
        "chunkedx",
        "chunked, identity",
        "identity, chunked",
        "identity",
        "gzip, chunked",
        "gzip",
        "chunked,",
        ",chunked",
        "chunked;q=1",
        "\"chunked\"",
        "chunked chunked",
        "x, chunked",
        "",
        "\u{b}chunked",
    ];
    let request = |version: &str, fields: &str| {
        let head = format!("POST /fit/front HTTP/{version}\r\nHost: x\r\n{fields}\r\n\r\n");
        format!("{head}0\r\n\r\n{}", smuggled())
    };
    let mut forms: Vec<Form> = values
        .iter()
        .map(|value| {
            let fields = format!("Transfer-Encoding: {value}");
            form(format!("{fields:?}"), request("1.1", &fields))
        })
        .collect();
    for (one, other) in [
        ("chunked", "chunked"),
        ("chunked", "identity"),
        ("identity", "chunked"),
        ("chunked", "x"),
    ] {
        let fields = format!("Transfer-Encoding: {one}\r\nTransfer-encoding: {other}");
        forms.push(form(format!("{fields:?}"), request("1.1", &fields)));
    }
    for fields in [
        "Transfer-Encoding: chunked",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
    ] {
        forms.push(form(format!("HTTP/1.0 {fields:?}"), request("1.0", fields)));
    }
    forms.push(form("HTTP/1.0 without a length", request("1.0", "X: y")));
    let socket = format!(
        "Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: {}",
        BODY.len()
    );
    for (name, fields) in [
        ("web socket", socket.as_str()),
        ("one of two", "Upgrade: h2c, WebSocket"),
    ] {
        let head = format!("POST /fit/front HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n{BODY}");
        forms.push(form(name, format!("{head}{}", smuggled())));
    }
    forms
}

fn chunks() -> Vec<Form> {
    let head = "POST /fit/front HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long = "x".repeat(64 * 1024);
    let bodies = [
        ("a sign", "-5\r\nhello\r\n0\r\n\r\n".to_owned()),
        ("a plus", "+5\r\nhello\r\n0\r\n\r\n".to_owned()),
        ("0x", "0x5\r\nhello\r\n0\r\n\r\n".to_owned()),
        ("a space within", "5 5\r\nhello\r\n0\r\n\r\n".to_owned()),
        ("no digit", "g\r\nhello\r\n0\r\n\r\n".to_owned()),
        ("no size", "\r\nhello\r\n0\r\n\r\n".to_owned()),
        ("only an extension", ";a=b\r\n\r\n0\r\n\r\n".to_owned()),
        (
            "an overflow",
            "10000000000000005\r\nhello\r\n0\r\n\r\n".to_owned(),
        ),
        (
            "all there is",
            "ffffffffffffffff\r\nhello\r\n0\r\n\r\n".to_owned(),
        ),
        (
            "a huge extension",
            format!("5;{long}\r\nhello\r\n0\r\n\r\n"),
        ),
        ("LF after the size", "5\nhello\r\n0\r\n\r\n".to_owned()),
        ("LF in an extension", "5;a\nhello\r\n0\r\n\r\n".to_owned()),
        (
            "NUL in an extension",
            "5;a\0\r\nhello\r\n0\r\n\r\n".to_owned(),
        ),
        (
            "CR in an extension",
            "5;a\rb\r\nhello\r\n0\r\n\r\n".to_owned(),
        ),
        (
            "no line end after the data",
            "5\r\nhello0\r\n\r\n".to_owned(),
        ),
        ("more data than told", "5\r\nhello!\r\n0\r\n\r\n".to_owned()),
        ("LF after the data", "5\r\nhello\n0\r\n\r\n".to_owned()),
        ("CR after the data", "5\r\nhello\r0\r\n\r\n".to_owned()),
        ("LF after a trailer", "0\r\nX: y\n\r\n".to_owned()),
        ("LF at the end", "0\r\n\nX".to_owned()),
        ("huge trailers", format!("0\r\nX: {long}\r\n\r\n")),
    ];
    let bodies = bodies.into_iter();
    bodies
        .map(|(name, body)| {
            form(
                format!("chunk: {name}"),
                format!("{head}{body}{}", smuggled()),
            )
        })
        .collect()
}

fn line_ends() -> Vec<Form> {
    let whole = smuggled();
    let (head, body) = whole.split_once("\r\n\r\n").expect("it has a head");
    let lf = head.replace("\r\n", "\n");
    vec![
        form("LF: everywhere", format!("{lf}\n\n{body}")),
        form(
            "LF: after the request line",
            whole.replacen("\r\n", "\n", 1),
        ),
        form("LF: after a field", whole.replacen("x\r\n", "x\n", 1)),
        form("LF: at the end of the head", format!("{head}\r\n\n{body}")),
        form("LF: before the request line", format!("\n{whole}")),
        form("CR: for a line end", whole.replacen("\r\n", "\r", 1)),
        form(
            "CR: in a value",
            whole.replacen("Host: x", "A: b\rc\r\nHost: x", 1),
        ),
        form("CR: two", whole.replacen("x\r\n", "x\r\r\n", 1)),
        form(
            "LF: in a value",
            whole.replacen("Host: x", "A: b\nTransfer-Encoding: chunked\r\nHost: x", 1),
        ),
    ]
}

fn fields() -> Vec<Form> {
    let lines: [(&str, &[u8]); 15] = [
        ("folded", b"A: b\r\n c"),
        ("folded with a tab", b"A: b\r\n\tc"),
        ("a folded coding", b"Transfer-Encoding:\r\n chunked"),
        ("a space before the first", b" A: b"),
        ("a space before the colon", b"Transfer-Encoding : chunked"),
        ("a tab before the colon", b"Content-Length\t: 5"),
        ("a space within a name", b"Content Length: 5"),
        ("no colon", b"Content-Length 5"),
        ("no name", b": 5"),
        ("NUL in a value", b"A: b\0c"),
        ("NUL in a name", b"A\0: b"),
        ("DEL in a value", b"A: b\x7fc"),
        ("a control in a value", b"A: b\x01c"),
        ("a name of odd bytes", b"A\xe4: b"),
        ("a name with brackets", b"Content-Length[]: 5"),
    ];
    let lines = lines.iter().map(|(name, line)| {
        let bytes = [
            b"POST /fit/front HTTP/1.1\r\n",
            *line,
            b"\r\nHost: x\r\n\r\n",
            smuggled().as_bytes(),
        ]
        .concat();
        form(format!("field: {name}"), bytes)
    });
    lines.collect()
}

fn hosts() -> Vec<Form> {
    let get =
        |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\n{fields}\r\n{}", smuggled());
    let mut forms = vec![
        form("Host: none", get("/health/live", "")),
        form("Host: two", get("/health/live", "Host: x\r\nHost: y\r\n")),
        form(
            "Host: twice the same",
            get("/health/live", "Host: x\r\nhost: x\r\n"),
        ),
    ];
    let odd = [
        "", "a b", "a,b", "a/b", "u@x", "u:p@x", "x:99999", "x:8a", "x:-1", "[::1", "::1", "x?y",
        "x#y", "x\\y", "ä", "%78",
    ];
    forms.extend(odd.iter().map(|host| {
        form(
            format!("Host: {host:?}"),
            get("/health/live", &format!("Host: {host}\r\n")),
        )
    }));
    for (target, host) in [
        ("http://y/health/live", "x"),
        ("http://x:81/health/live", "x"),
        ("http://u@x/health/live", "x"),
        ("https://y/fit/a", "x"),
    ] {
        forms.push(form(
            format!("Host: {host} for {target}"),
            get(target, &format!("Host: {host}\r\n")),
        ));
    }
    forms.push(form(
        "a tunnel".to_owned(),
        format!("CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n{}", smuggled()),
    ));
    forms
}

fn request_lines() -> Vec<Form> {
    let lines: [&[u8]; 23] = [
        b"GET  / HTTP/1.1",
        b"GET / \tHTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET / HTTP/1.1 x",
        b" GET / HTTP/1.1",
        b"GET /a b HTTP/1.1",
        b"GET /\x01 HTTP/1.1",
        b"GET /\0 HTTP/1.1",
        b"GET / HTTP/2.0",
        b"GET / HTTP/1.2",
        b"GET / HTTP/0.9",
        b"GET / HTTP/1",
        b"GET / HTTP/11",
        b"GET / http/1.1",
        b"GET / XTTP/1.1",
        b"GET /",
        b"GET",
        b"G\xc3\xa4T / HTTP/1.1",
        b"G(T / HTTP/1.1",
        b"GE\0T / HTTP/1.1",
        b"{} / HTTP/1.1",
        b"@ / HTTP/1.1",
    ];
    let lines = lines.iter().map(|line| {
        let bytes = [*line, b"\r\nHost: x\r\n\r\n", smuggled().as_bytes()].concat();
        form(
            format!("request line: {:?}", String::from_utf8_lossy(line)),
            bytes,
        )
    });
    let mut forms: Vec<Form> = lines.collect();
    forms.push(form(
        "HTTP/2 without an upgrade",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ));
    forms.push(form(
        "TLS to a port in the clear",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",
    ));
    forms
}

fn bombs() -> Vec<Form> {
    let many: String = (0..200).map(|i| format!("A{i}: b\r\n")).collect();
    let long = "x".repeat(200 * 1024);
    let rest = smuggled();
    vec![
        form(
            "bomb: 200 fields",
            format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n{rest}"),
        ),
        form(
            "bomb: a long value",
            format!("GET / HTTP/1.1\r\nHost: x\r\nA: {long}\r\n\r\n{rest}"),
        ),
        form(
            "bomb: a long name",
            format!("GET / HTTP/1.1\r\nHost: x\r\n{long}: b\r\n\r\n{rest}"),
        ),
        form(
            "bomb: a long target",
            format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n{rest}"),
        ),
        form(
            "bomb: a target past what can be told",
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n{rest}", &long[..70_000]),
        ),
        form(
            "bomb: a long method",
            format!("{long} / HTTP/1.1\r\nHost: x\r\n\r\n{rest}"),
        ),
    ]
}

/// Requests that carry another one as their body: it is a body.
pub(crate) fn carriers() -> Vec<(String, String)> {
    let inner = smuggled();
    let with_length = |line: &str| {
        format!(
            "{line} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{inner}",
            inner.len()
        )
    };
    let lines = [
        "GET /healthcheck",
        "GET /health/live",
        "HEAD /healthcheck",
        "GET /fit/a",
        "POST /fit/a",
        "POST /fit/..",
        "POST /fit/a?version=1",
        "POST /nothing",
        "POST /detect",
        "POST /predict/a",
        "POST /update/a",
        "POST /series/a/versions",
        "PUT /series/a/aliases/b",
        "DELETE /series/a/aliases/b",
        "OPTIONS /fit/a",
        "TRACE /fit/a",
        "GET /plot?series_id=a",
    ];
    let mut carriers: Vec<_> = lines
        .iter()
        .map(|line| ((*line).to_owned(), with_length(line)))
        .collect();
    let chunked = |line: &str| {
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        format!("{head}{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len())
    };
    for line in ["POST /fit/a", "GET /healthcheck", "POST /nothing"] {
        carriers.push((format!("{line}, chunked"), chunked(line)));
    }
    let expects =
        with_length("POST /fit/a").replacen("Host: x", "Host: x\r\nExpect: 100-continue", 1);
    carriers.push(("POST /fit/a, expecting to go on".to_owned(), expects));
    carriers
}

/// Requests that are unusual and right: strictness is not to cost them.
pub(crate) fn right() -> Vec<(&'static str, String)> {
    let n = BODY.len();
    let fit = |fields: &str| format!("POST /fit/right HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n");
    let chunk = format!("{n:X}");
    vec![
        (
            "a zero before the length",
            format!("{}{BODY}", fit(&format!("Content-Length: 000{n}"))),
        ),
        (
            "tabs around a value",
            format!("{}{BODY}", fit(&format!("Content-Length:\t {n}\t "))),
        ),
        (
            "chunks",
            format!(
                "{}{chunk}\r\n{BODY}\r\n0\r\n\r\n",
                fit("TRANSFER-ENCODING:\tChunked")
            ),
        ),
        (
            "an extension and a trailer",
            format!(
                "{}{chunk};a=\"b\"\r\n{BODY}\r\n000\r\nX: y\r\n\r\n",
                fit("Transfer-Encoding: chunked")
            ),
        ),
        (
            "an underscore is another name",
            format!(
                "{}{BODY}",
                fit(&format!(
                    "Content-Length: {n}\r\nTransfer_Encoding: chunked"
                ))
            ),
        ),
        (
            "blank lines before",
            format!("\r\n\r\n{}{BODY}", fit(&format!("Content-Length: {n}"))),
        ),
        (
            "an upgrade that is not taken",
            format!(
                "{}{BODY}",
                fit(&format!(
                    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: {n}"
                ))
            ),
        ),
        (
            "HTTP/1.0",
            format!("POST /fit/right HTTP/1.0\r\nContent-Length: {n}\r\n\r\n{BODY}"),
        ),
        (
            "an absolute target",
            format!(
                "POST http://X:80/fit/right HTTP/1.1\r\nHost: x\r\nContent-Length: {n}\r\n\r\n{BODY}"
            ),
        ),
        (
            "an address",
            format!(
                "POST /fit/right HTTP/1.1\r\nHost: [::1]:8000\r\nContent-Length: {n}\r\n\r\n{BODY}"
            ),
        ),
        (
            "other letters in a value",
            format!(
                "{}{BODY}",
                fit(&format!("X: \u{e4}\r\nContent-Length: {n}"))
            ),
        ),
    ]
}
