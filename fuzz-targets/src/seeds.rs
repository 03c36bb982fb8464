//! Where each target begins: inputs of every shape that it knows, so that a fuzzer need not guess them.
//!
//! `TIDEMARK_WRITE_CORPUS=1 cargo test -p fuzz-targets` writes them into `fuzz/corpus/`, where those that a fuzzer has
//! found stand beside them.

use std::fmt::Write as _;

/// Seeds of `target`, each with a name.
#[must_use]
pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    match target {
        "body" => bodies(),
        "fit" => fits(),
        "predict" => predicts(),
        "update" => updates(),
        "store_record" => records(),
        "artifact" => artifacts(),
        "path" => paths(),
        // Their inputs have no shape: numbers are drawn from them.
        "fit_score" => draws(1_024),
        "decode" => draws(256),
        _ => Vec::new(),
    }
}

fn bodies() -> Vec<(String, Vec<u8>)> {
    const FIT: &str = r#"{"timestamps":[1,2,3,4],"values":[1,-0.0,5e-324,1.7976931348623157e308],"model":"gaussian","alarm_rate":0.01,"direction":"above","min_deviation":{"abs":1,"rel":0.1},"seasonality":[60],"timezone":"Europe/Rome","time_unit":"ms","exclude":[{"from":1,"to":"2026-01-31T08:00:00Z"}],"labels":{"a/b":"c","d":""},"set_alias":"champion"}"#;
    let seeds = [
        ("fit", "f", FIT),
        (
            "fit-sigma",
            "f",
            r#"{"values":[1,2,3],"timestamps":[1,2,3],"sigma":3,"seasonality":"auto"}"#,
        ),
        (
            "fit-not-finite",
            "f",
            r#"{"timestamps":[1,2,3],"values":[1,NaN,-1e999]}"#,
        ),
        (
            "fit-escaped-twice",
            "f",
            r#"{"values":[1],"\u0076alues":[2]}"#,
        ),
        (
            "fit-surrogate",
            "f",
            r#"{"model":"\ud800","timestamps":[],"values":[]}"#,
        ),
        (
            "fit-deep",
            "f",
            r#"{"seasonality":[[[[[[[[[[[[]]]]]]]]]]]]}"#,
        ),
        ("fit-two", "f", r#"{"timestamps":[1],"values":[1]}{}"#),
        (
            "detect",
            "d",
            r#"{"timestamps":[1,2,3,4],"values":[1,2,3,4],"min_points":3,"alarm_rate":0.1}"#,
        ),
        (
            "detect-of-fit",
            "d",
            r#"{"timestamps":[1],"values":[1],"model":"pca","exclude":[]}"#,
        ),
        (
            "predict-one",
            "p",
            r#"{"timestamp":"1769846400","value":1.5}"#,
        ),
        (
            "predict-instant",
            "p",
            r#"{"timestamp":"2026-01-31T09:00:00.9+01:00","value":1}"#,
        ),
        (
            "predict-late",
            "p",
            r#"{"timestamp":"9000-01-01T00:00:00Z","value":1}"#,
        ),
        (
            "predict-columns",
            "p",
            r#"{"timestamps":[1,"2","2026-01-31T08:00:00Z"],"values":[1,2,3e5]}"#,
        ),
        ("predict-both", "p", r#"{"timestamps":[1],"value":1}"#),
        (
            "lines",
            "u",
            "{\"timestamp\":1,\"value\":2}\n{\"timestamp\":\"3\",\"value\":4.25}\n\n[1]\n{\"timestamp\":2}\n",
        ),
        ("alias", "a", r#"{"version":"v3"}"#),
        ("alias-latest", "a", r#"{"version":"0"}"#),
        ("version", "v", r#"{"from":"online"}"#),
        (
            "query-predict",
            "q",
            "version=%20v2&fields=p_value,anomaly&explain=true",
        ),
        ("query-alias", "q", "alias=champion"),
        (
            "query-update",
            "q",
            "from=v2&alarm_rate=0.01&timezone=Europe/Rome&time_unit=ms&seasonality=60,3600&fields=p_value",
        ),
        ("query-percent", "q", "version=%ff&alias=%"),
        ("name-id", "n", "A-Z.a_z:0@9"),
        ("name-key", "n", "\"a\\\"b\\\\\""),
        ("name-version", "n", "v17"),
        ("name-time", "n", "2026-01-31T08:00:00.123456789Z"),
        ("name-dots", "n", ".."),
    ];
    let seeds =
        seeds.map(|(name, kind, body)| (name.to_owned(), [kind, body].concat().into_bytes()));
    seeds.into()
}

fn fits() -> Vec<(String, Vec<u8>)> {
    let models = [
        "gaussian",
        "robust",
        "ewma",
        "seasonal",
        "holt_winters",
        "tail_views",
        "pca",
        "nearest",
        "auto",
    ];
    let body = |model: &str| {
        let n = if model == "seasonal" { 80 } else { 40 };
        let timestamps: Vec<i64> = (0..n).map(|i| 1_772_928_000 + 60 * i).collect();
        let values: Vec<i64> = (0..n).map(|i| (i * 37) % 11).collect();
        format!(r#"{{"timestamps":{timestamps:?},"values":{values:?},"model":"{model}"}}"#)
    };
    let mut seeds: Vec<_> = models
        .iter()
        .map(|model| ((*model).to_owned(), body(model).into_bytes()))
        .collect();
    seeds.extend(draws(128).into_iter().take(12));
    seeds
}

fn predicts() -> Vec<(String, Vec<u8>)> {
    let bodies = [
        r#"{"timestamp":1772928600,"value":4.5}"#,
        r#"{"timestamps":[1772928600,1772928660,"2026-03-08T00:12:00Z"],"values":[4.5,-1e300,12]}"#,
        r#"{"timestamp":"9223372036854775807","value":0}"#,
        r#"{"timestamps":[0,0,5,4],"values":[0,-0.0,5e-324,1e9]}"#,
    ];
    let kinds = 0..16_u8;
    kinds
        .map(|kind| {
            let body = bodies[usize::from(kind) % bodies.len()];
            (format!("model-{kind}"), [&[kind], body.as_bytes()].concat())
        })
        .collect()
}

fn updates() -> Vec<(String, Vec<u8>)> {
    let queries = [
        "",
        "alarm_rate=0.01",
        "timezone=America/New_York&time_unit=s",
        "time_unit=ms&seasonality=60000",
        "seasonality=",
        "seasonality=auto&fields=anomaly",
    ];
    let mut lines = String::new();
    for i in 0..12 {
        let value = if i == 9 { 900 } else { (i * 37) % 11 };
        writeln!(
            lines,
            r#"{{"timestamp":{},"value":{value}}}"#,
            1_772_928_000 + 60 * i
        )
        .expect("a string takes all");
    }
    lines.push_str("{\"timestamp\":1772928000,\"value\":1}\nnone\n");
    let mut seeds = Vec::new();
    for (index, query) in queries.iter().enumerate() {
        for learnt in [0_u8, 40, 255] {
            let seed = [&[learnt], query.as_bytes(), b"\n", lines.as_bytes()].concat();
            seeds.push((format!("query-{index}-{learnt}"), seed));
        }
    }
    seeds
}

fn records() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for kind in 0..9_u8 {
        seeds.push((format!("whole-{kind}"), vec![kind, 1]));
        seeds.push((format!("bit-{kind}"), vec![kind, 1, 0, 20, 1]));
        seeds.push((
            format!("forged-{kind}"),
            vec![kind, 2, 0, 0, 0, 0, 9, 255, 0, 30, 128],
        ));
        seeds.push((format!("cut-{kind}"), vec![kind, 2, 0, 0, 7]));
    }
    for (name, magic) in [
        ("version", b"TVER"),
        ("training", b"TTRN"),
        ("state", b"TSTA"),
        ("number", b"TNUM"),
    ] {
        let mut bytes = vec![0, 0];
        bytes.extend_from_slice(magic);
        bytes.extend_from_slice(&[1, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4]);
        bytes.extend_from_slice(&[0; 16]);
        seeds.push((format!("raw-{name}"), bytes));
    }
    seeds
}

fn artifacts() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for kind in 0..4_u8 {
        seeds.push((format!("whole-{kind}"), vec![kind, 1]));
        seeds.push((format!("bit-{kind}"), vec![kind, 1, 0, 20, 1]));
        for (mode, name) in [(2, "payload"), (3, "record"), (4, "points")] {
            seeds.push((format!("{name}-{kind}"), vec![kind, mode]));
            seeds.push((
                format!("{name}-bit-{kind}"),
                vec![kind, mode, 0, 4, 1, 0, 90, 128],
            ));
        }
    }
    let mut bytes = vec![0, 0];
    bytes.extend_from_slice(b"TART\x01\0\0\0\x02\0\0\0\0\0");
    bytes.extend_from_slice(&[0; 16]);
    seeds.push(("raw".to_owned(), bytes));
    seeds
}

fn paths() -> Vec<(String, Vec<u8>)> {
    let paths = [
        "/predict/a",
        "/update/A-Z.a_z:0@9",
        "/fit/a%2Fb",
        "/fit/..",
        "/detect",
        "/series/a/calibration",
        "/series/a/versions",
        "/series/a/versions/0",
        "/series/a/versions/v1/artifact",
        "/series/a/versions/1/2",
        "/series",
        "/series/a",
        "/series/a/aliases",
        "/series/a/aliases/champion",
        "/series//aliases/",
        "/healthcheck",
        "/metrics",
        "/plot",
        "/health",
        "/health/live",
        "/health/ready",
        "/health/startup",
        "/problems/not_found",
        "/series/a/aliases/b/c",
        "//fit/a",
        "*",
        "",
    ];
    let named = paths.iter().enumerate();
    named
        .map(|(index, path)| (format!("path-{index}"), path.as_bytes().to_vec()))
        .collect()
}

/// Bytes without a shape, the same ones every time: SplitMix64.
fn draws(length: usize) -> Vec<(String, Vec<u8>)> {
    let draw = |seed: u64| {
        let mut state = seed;
        let bytes = std::iter::repeat_with(move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut bits = state;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (bits ^ (bits >> 31)) as u8
        });
        bytes.take(length).collect()
    };
    (1..=16)
        .map(|seed| (format!("draw-{seed}"), draw(seed)))
        .collect()
}
