//! Query strings, read by hand: two or three known names on a path where every microsecond counts.
//!
//! Unknown and repeated parameters are refused. A parameter that is silently ignored answers a
//! question the caller did not ask, and a misspelt `version` would answer for the latest.

use std::borrow::Cow;

use crate::Rejection;
use crate::problem::{Code, FieldError, Loc};

/// Reads `query` into the values of `names`, each at most once, percent-decoded.
///
/// # Errors
/// `invalid_query`, naming the first parameter that is unknown, repeated or not UTF-8.
pub fn read<'q, const N: usize>(
    query: &'q str,
    names: [&str; N],
) -> Result<[Option<Cow<'q, str>>; N], Rejection> {
    let (found, _) = read_with_repeated(query, names, "")?;
    Ok(found)
}

/// The values of parameters that may come once, and those of the one that may come again and again.
pub type WithRepeated<'q, const N: usize> = ([Option<Cow<'q, str>>; N], Vec<Cow<'q, str>>);

/// As [`read`], with one more parameter that may come any number of times.
///
/// # Errors
/// As [`read`].
pub fn read_with_repeated<'q, const N: usize>(
    query: &'q str,
    names: [&str; N],
    repeated: &str,
) -> Result<WithRepeated<'q, N>, Rejection> {
    let mut found = [const { None }; N];
    let mut again = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let refuse = |reason: String| {
            Rejection::one(
                Code::InvalidQuery,
                FieldError::new([Loc::from("query"), Loc::from(name)], reason),
            )
        };
        let read = || {
            unescape(value)
                .ok_or_else(|| refuse("the value is not UTF-8 percent-encoded text".into()))
        };
        if !repeated.is_empty() && name == repeated {
            again.push(read()?);
            continue;
        }
        let Some(at) = names.iter().position(|known| *known == name) else {
            let known = names.iter().copied().chain([repeated]);
            let known: Vec<_> = known.filter(|name| !name.is_empty()).collect();
            return Err(refuse(format!(
                "there is no such parameter here; known: {}",
                known.join(", ")
            )));
        };
        if found[at].is_some() {
            return Err(refuse("the parameter is given twice".into()));
        }
        found[at] = Some(read()?);
    }
    Ok((found, again))
}

/// Reads a switch: `true`, `false`, or the bare name, which is `true`.
///
/// # Errors
/// `invalid_query` for anything else.
pub fn switch(name: &str, value: Option<&str>) -> Result<bool, Rejection> {
    match value {
        None | Some("false") => Ok(false),
        Some("true" | "") => Ok(true),
        Some(other) => {
            let reason = format!("{other:?} is neither true nor false");
            let error = FieldError::new([Loc::from("query"), Loc::from(name)], reason);
            Err(Rejection::one(Code::InvalidQuery, error))
        }
    }
}

/// `+` is a space and `%xx` a byte, as in a submitted form.
fn unescape(value: &str) -> Option<Cow<'_, str>> {
    if !value.bytes().any(|b| matches!(b, b'%' | b'+')) {
        return Some(Cow::Borrowed(value));
    }
    let spaced = value.replace('+', " ");
    let text = percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .ok()?;
    Some(Cow::Owned(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_known_names_in_any_order() {
        let [version, fields] = read("fields=a,b&version=%20v1+", ["version", "fields"]).unwrap();
        assert_eq!(
            (version.as_deref(), fields.as_deref()),
            (Some(" v1 "), Some("a,b"))
        );
        assert_eq!(read("", ["version"]).unwrap(), [None]);
        assert_eq!(read("version", ["version"]).unwrap(), [Some("".into())]);
    }

    #[test]
    fn refuses_unknown_repeated_and_undecodable_ones() {
        for (query, name) in [
            ("verison=2", "verison"),
            ("version=1&version=2", "version"),
            ("version=%ff", "version"),
        ] {
            let refused = read(query, ["version"]).unwrap_err();
            assert_eq!(refused.code, Code::InvalidQuery);
            assert_eq!(
                refused.errors[0].loc,
                [Loc::from("query"), Loc::from(name)],
                "{query}"
            );
        }
    }
}
