//! Bodies that are no JSON, or JSON that is meant to hurt.

use super::routes::Route;

/// Nesting that a parser which calls itself does not survive.
const DEPTH: usize = 100_000;
/// Digits of a number that no double has.
const DIGITS: usize = 100_000;
/// Bytes of a name or a string that is sent to be echoed or kept.
const LONG: usize = 4_000_000;

/// A body and what is odd about it.
pub(crate) type Body = (String, Vec<u8>);

/// All bodies that `route` has to refuse.
pub(crate) fn of(route: &Route) -> Vec<Body> {
    let mut bodies = broken(route);
    bodies.extend(deep(route));
    bodies.extend(twice(route));
    bodies.extend(numbers(route));
    bodies.extend(texts(route));
    bodies
}

fn body(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Body {
    (name.into(), bytes.into())
}

/// Not one JSON text.
fn broken(route: &Route) -> Vec<Body> {
    let right = route.right;
    let inner = &right[1..right.len() - 1];
    let after = |tail: &[u8]| [right.as_bytes(), tail].concat();
    let before = |head: &[u8]| [head, right.as_bytes()].concat();
    let utf_16: Vec<u8> = right.encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        body("a byte order mark", before(b"\xef\xbb\xbf")),
        body("UTF-16", utf_16),
        body("a byte after the end", after(b"x")),
        body("a NUL after the end", after(b"\0")),
        body("a brace after the end", after(b"}")),
        body("two documents", [right, right].concat()),
        body("two documents with a space", [right, " ", right].concat()),
        body("cut off", &right.as_bytes()[..right.len() - 1]),
        body("a comma after the last field", format!("{{{inner},}}")),
        body("two commas", format!("{{,{inner}}}")),
        body("a comment", format!("{{/* */{inner}}}")),
        body(
            "a comment to the end of the line",
            format!("{{{inner}}} // end"),
        ),
        body("single quotes", right.replace('"', "'")),
        body("names without quotes", right.replace('"', "")),
        body("an array around it", format!("[{right}]")),
        body("a string", format!("{:?}", right)),
        body("a number", "1"),
        body("null", "null"),
        body("a control character before", before(b"\x01")),
        body("a form feed for a space", before(b"\x0c")),
        body("a no-break space", before(b"\xc2\xa0")),
        body("a byte that is no UTF-8", before(b"\xff")),
        body(
            "random bytes",
            (0..=255_u8)
                .rev()
                .filter(|byte| *byte != b'\n')
                .collect::<Vec<_>>(),
        ),
    ]
}

/// Nesting: alone, in a field that is there, and in fields that are not.
fn deep(route: &Route) -> Vec<Body> {
    let field = route.field;
    let arrays = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(DEPTH), "}".repeat(DEPTH));
    vec![
        body("deep arrays", arrays(DEPTH)),
        body("deep arrays without an end", "[".repeat(DEPTH)),
        body("deep objects", objects.clone()),
        body("deep objects without an end", r#"{"a":"#.repeat(DEPTH)),
        body(
            "a deep field",
            format!(r#"{{"{field}":{}}}"#, arrays(DEPTH)),
        ),
        body(
            "a deep field of objects",
            format!(r#"{{"{field}":{objects}}}"#),
        ),
        body("deep labels", format!(r#"{{"labels":{objects}}}"#)),
        body("deep params", format!(r#"{{"params":{}}}"#, arrays(DEPTH))),
        body(
            "deep seasonality",
            format!(r#"{{"seasonality":{}}}"#, arrays(DEPTH)),
        ),
        body(
            "deep exclude",
            format!(r#"{{"exclude":{}}}"#, arrays(DEPTH)),
        ),
        body(
            "deep min_deviation",
            format!(r#"{{"min_deviation":{objects}}}"#),
        ),
    ]
}

/// One name twice, or a name that is not there.
fn twice(route: &Route) -> Vec<Body> {
    let (field, rest) = (route.field, &route.right[1..]);
    let first = field.as_bytes()[0];
    let escaped = format!("\\u{:04x}{}", first, &field[1..]);
    let all_escaped: String = field.bytes().map(|byte| format!("\\u{byte:04X}")).collect();
    let value = r#""1""#;
    vec![
        body("a field twice", format!(r#"{{"{field}":{value},{rest}"#)),
        body(
            "a field twice, once escaped",
            format!(r#"{{"{escaped}":{value},{rest}"#),
        ),
        body(
            "a field twice, once all escaped",
            format!(r#"{{"{all_escaped}":{value},{rest}"#),
        ),
        body(
            "a field twice, null before",
            format!(r#"{{"{field}":null,{rest}"#),
        ),
        body(
            "a field in capitals",
            format!(r#"{{"{}":{value},{rest}"#, field.to_uppercase()),
        ),
        body(
            "a field with a NUL",
            format!(r#"{{"{field}\u0000":{value},{rest}"#),
        ),
        body(
            "a field with a space",
            format!(r#"{{"{field} ":{value},{rest}"#),
        ),
        body("an empty name", format!(r#"{{"":{value},{rest}"#)),
        body("__proto__", format!(r#"{{"__proto__":{{}},{rest}"#)),
        body(
            "a long name",
            format!(r#"{{"{}":{value},{rest}"#, "n".repeat(LONG)),
        ),
        body(
            "a long name of escapes",
            format!(r#"{{"{}":{value},{rest}"#, "\\u0001".repeat(LONG / 6)),
        ),
        body(
            "many names",
            format!(
                "{{{}{rest}",
                (0..50_000)
                    .map(|i| format!(r#""n{i}":1,"#))
                    .collect::<String>()
            ),
        ),
    ]
}

/// What is written where a number stands, and is none that a double has.
fn numbers(route: &Route) -> Vec<Body> {
    let (before, after) = route.around_number;
    let digits = "9".repeat(DIGITS);
    let words = [
        "1e999",
        "-1e999",
        "1e99999999999999999999",
        "NaN",
        "-NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "inf",
        "+1",
        ".5",
        "5.",
        "01",
        "-",
        "--1",
        "0x10",
        "1_000",
        "1,5",
        "1e",
        "1e+",
        "\"1\"",
        "\"NaN\"",
        "true",
        "null",
        "{}",
        "[1]",
        "١",
        "1 2",
        "\u{ff11}",
        "",
        &digits,
        &format!("-{digits}.{digits}e{digits}"),
    ];
    // What an alias points to is written as a string.
    let words = words
        .iter()
        .filter(|word| **word != "\"1\"" || route.field != "version");
    words
        .map(|word| {
            body(
                format!("number {}", short(word)),
                format!("{before}{word}{after}"),
            )
        })
        .collect()
}

/// What is written where a string stands, and is no text that is asked for.
fn texts(route: &Route) -> Vec<Body> {
    let (before, after) = route.around_text;
    let long = "x".repeat(LONG);
    let words: Vec<Vec<u8>> = vec![
        br#""\ud800""#.to_vec(),
        br#""\udc00""#.to_vec(),
        br#""\ud800x""#.to_vec(),
        br#""\ud800\ud800""#.to_vec(),
        br#""\udc00\ud800""#.to_vec(),
        br#""\u12""#.to_vec(),
        br#""\x41""#.to_vec(),
        br#""\u0000""#.to_vec(),
        br#""../../etc/passwd""#.to_vec(),
        b"\"\xff\"".to_vec(),
        b"\"\xc0\xaf\"".to_vec(),
        b"\"\xed\xa0\x80\"".to_vec(),
        b"\"\xf4\x90\x80\x80\"".to_vec(),
        b"\"\xe2\x82\"".to_vec(),
        b"\"\0\"".to_vec(),
        b"\"\t\"".to_vec(),
        b"\"\x1b[2J\"".to_vec(),
        b"\"".to_vec(),
        format!("\"{long}\"").into_bytes(),
        format!("\"{}\"", "\\ud83d\\ude00".repeat(LONG / 12)).into_bytes(),
        format!("{:?}", "9".repeat(DIGITS)).into_bytes(),
        b"\"-1\"".to_vec(),
        b"{}".to_vec(),
        b"[[]]".to_vec(),
        b"true".to_vec(),
    ];
    let words = words.iter();
    words
        .map(|word| {
            let bytes = [before.as_bytes(), word, after.as_bytes()].concat();
            body(
                format!("text {}", short(&String::from_utf8_lossy(word))),
                bytes,
            )
        })
        .collect()
}

fn short(text: &str) -> String {
    text.chars()
        .take(24)
        .collect::<String>()
        .escape_debug()
        .to_string()
}
