//! The JSON of a verdict, written without the general way.
//!
//! The reply to a predict of one point is what the service writes most, and most of what it cost was to look for
//! characters to escape in names that have none. What is written is what [`Serialize`](serde::Serialize) writes, byte for
//! byte.

use crate::predict::PointReply;

/// Bytes of nearly every reply.
const USUAL_BYTES: usize = 512;

impl PointReply<'_> {
    /// As JSON.
    ///
    /// # Panics
    /// Never: numbers and text can be written.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(USUAL_BYTES);
        self.write_json(&mut out);
        out
    }

    /// Writes it behind what is in `out`.
    ///
    /// # Panics
    /// As [`PointReply::to_json`].
    pub fn write_json(&self, out: &mut Vec<u8>) {
        if self.reasons.is_some() {
            general(out, self);
            return;
        }
        flag(out, r#"{"anomaly":"#, self.anomaly);
        out.extend_from_slice(br#","model_version":""#);
        general(out, &self.model_version);
        out.extend_from_slice(br#"","timestamp":"#);
        general(out, &self.timestamp);
        for (name, number) in [
            (r#","value":"#, self.value),
            (r#","anomaly_score":"#, self.anomaly_score),
            (r#","p_value":"#, self.p_value),
            (r#","severity":"#, self.severity),
            (r#","expected_value":"#, self.expected_value),
            (r#","lower_bound":"#, self.lower_bound),
            (r#","upper_bound":"#, self.upper_bound),
        ] {
            out.extend_from_slice(name.as_bytes());
            general(out, &number);
        }
        word(out, r#","direction":"#, self.direction);
        word(out, r#","status":"#, self.status);
        flag(out, r#","tail_extrapolated":"#, self.tail_extrapolated);
        word(out, r#","model_hash":"#, self.model_hash);
        out.push(b'}');
    }
}

fn flag(out: &mut Vec<u8>, name: &str, flag: bool) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

fn word(out: &mut Vec<u8>, name: &str, word: &str) {
    out.extend_from_slice(name.as_bytes());
    // All of them are looked at, without a branch, sixteen at once.
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if word.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        out.push(b'"');
        out.extend_from_slice(word.as_bytes());
        out.push(b'"');
    } else {
        general(out, &word);
    }
}

fn general(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(out, value).expect("numbers and text can be written");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;

    const NUMBERS: [f64; 12] = [
        0.0,
        -0.0,
        1.0,
        -20.123,
        0.1,
        1e-7,
        5e-324,
        1e21,
        123_456_789_012_345_680.0,
        f64::MAX,
        f64::MIN,
        f64::NAN,
    ];

    fn reply<'a>(n: usize, words: [&'a str; 3]) -> PointReply<'a> {
        let number = |i: usize| NUMBERS[(n + i) % NUMBERS.len()];
        PointReply {
            anomaly: n.is_multiple_of(2),
            model_version: [1, 0, u64::MAX][n % 3],
            timestamp: [1_700_000_000, -1, i64::MIN, i64::MAX][n % 4],
            value: number(0),
            anomaly_score: number(1),
            p_value: number(2),
            severity: number(3),
            expected_value: number(4),
            lower_bound: number(5),
            upper_bound: number(6),
            direction: words[0],
            status: words[1],
            tail_extrapolated: n.is_multiple_of(3),
            model_hash: words[2],
            reasons: None,
        }
    }

    #[test]
    fn it_is_what_serde_writes() {
        let words = [
            "above",
            "",
            "a\"b",
            "a\\b",
            "line\n\u{1f}",
            "ä€𝄞",
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ];
        for n in 0..words.len() * NUMBERS.len() * 4 {
            let word = |i: usize| words[(n + i) % words.len()];
            let mut reply = reply(n, [word(0), word(1), word(3)]);
            let written = String::from_utf8(reply.to_json()).unwrap();
            assert_eq!(written, serde_json::to_string(&reply).unwrap());
            reply.reasons = Some(vec![Reason {
                code: "code",
                detail: word(2),
                numbers: &[("number", 0.5)],
            }]);
            let written = String::from_utf8(reply.to_json()).unwrap();
            assert_eq!(written, serde_json::to_string(&reply).unwrap());
        }
    }
}
