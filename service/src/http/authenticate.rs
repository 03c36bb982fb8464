//! Who asks, and whether that caller may: before the body is read, before a place in a queue is taken, before
//! anything of a series is looked at.
//!
//! Only the head of the request and the keys in memory decide. A key that was never given out and one that was revoked get
//! the same reply; the counts tell them apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use api::{Code, Rejection};

use super::Call;
use super::router::Resource;
use crate::keys::{Identity, NotValid, Scope, TenantName};
use crate::startup::State;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const SCHEME: &[u8] = b"bearer";

/// On whose behalf a request is made.
#[derive(Debug)]
pub(super) enum Caller {
    /// Of a server without keys: everything is everybody's.
    Anybody,
    /// Of a server with keys, who asks for what belongs to no tenant.
    Unnamed,
    /// Whoever has a key.
    Known(Arc<Identity>),
}

/// Who asks before that was looked at.
pub(super) static UNNAMED: Caller = Caller::Unnamed;

impl Caller {
    /// The tenant that the caller's key names.
    pub(super) fn tenant(&self) -> Option<&TenantName> {
        match self {
            Self::Known(identity) => Some(&identity.tenant),
            Self::Anybody | Self::Unnamed => None,
        }
    }

    /// Whether the caller may ask for what needs `scope`.
    pub(super) fn has(&self, scope: Scope) -> bool {
        match self {
            Self::Anybody => true,
            Self::Unnamed => false,
            Self::Known(identity) => identity.has(scope),
        }
    }
}

/// Why requests were refused for who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No key was sent.
    Missing,
    /// What was sent is not one key.
    Malformed,
    /// The key was never given out.
    Unknown,
    /// The key was revoked.
    Revoked,
    /// The key lacks the scope.
    Scope,
}

impl Reason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Missing,
        Self::Malformed,
        Self::Unknown,
        Self::Revoked,
        Self::Scope,
    ];

    /// The reason as metrics name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Scope => "scope",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Missing => {
                "no API key was sent: expected `Authorization: Bearer KEY` or `x-api-key: KEY`"
            }
            Self::Malformed => {
                "expected one API key, as `Authorization: Bearer KEY` or `x-api-key: KEY`"
            }
            Self::Unknown | Self::Revoked | Self::Scope => "the API key is not valid",
        }
    }
}

/// How many requests were refused, by the reason.
#[derive(Debug, Default)]
pub struct AuthenticationCounts([AtomicU64; Reason::ALL.len()]);

impl AuthenticationCounts {
    /// Counts a refusal.
    pub(super) fn refused(&self, reason: Reason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The refusals of every reason.
    pub fn all(&self) -> impl Iterator<Item = (Reason, u64)> {
        let count = |reason| (reason, self.0[reason as usize].load(Ordering::Relaxed));
        Reason::ALL.into_iter().map(count)
    }
}

/// Who sends the request, if that caller may ask for `resource`.
///
/// # Errors
/// `authentication_required` or `insufficient_scope`.
pub(super) fn caller(call: &Call<'_>, resource: Resource<'_>) -> Result<Caller, Rejection> {
    caller_of(call.state, call.request, resource)
}

/// As [`caller`], of a request that is being answered, for as long as that takes.
pub(super) fn caller_of(
    state: &State,
    request: &HttpRequest,
    resource: Resource<'_>,
) -> Result<Caller, Rejection> {
    let keys = &state.keys;
    if !keys.is_on() {
        return Ok(Caller::Anybody);
    }
    let Some(scope) = resource.scope(request.method()) else {
        return Ok(Caller::Unnamed);
    };
    let identity = key_of(request.headers()).and_then(|key| {
        keys.look_up(key).map_err(|why| match why {
            NotValid::Unknown => Reason::Unknown,
            NotValid::Revoked => Reason::Revoked,
        })
    });
    let identity = identity.map_err(|reason| {
        state.metrics.authentication.refused(reason);
        Rejection::new(Code::AuthenticationRequired, reason.words())
    })?;
    if !identity.has(scope) {
        state.metrics.authentication.refused(Reason::Scope);
        return Err(insufficient(scope, "this"));
    }
    Ok(Caller::Known(identity))
}

/// The refusal of a caller whose key lacks `scope`, which `what` needs.
pub(super) fn insufficient(scope: Scope, what: &str) -> Rejection {
    let detail = format!("{what} needs a key with the scope `{scope}`");
    Rejection::new(Code::InsufficientScope, detail)
}

/// The one key that the head of a request has, however often.
fn key_of(headers: &HeaderMap) -> Result<&str, Reason> {
    let bearers = headers.get_all(header::AUTHORIZATION).map(bearer);
    let plain = headers.get_all(API_KEY).map(|value| value.to_str().ok());
    let mut sent = bearers.chain(plain);
    let first = sent.next().ok_or(Reason::Missing)?;
    let first = first.ok_or(Reason::Malformed)?;
    if sent.all(|other| other == Some(first)) {
        Ok(first)
    } else {
        Err(Reason::Malformed)
    }
}

/// What comes after the name of the scheme, which has no case (RFC 9110, section 11.1).
fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, key) = value.as_bytes().split_at_checked(SCHEME.len())?;
    let key = str::from_utf8(key).ok()?;
    let is_bearer = scheme.eq_ignore_ascii_case(SCHEME) && key.starts_with(' ');
    is_bearer.then(|| key.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fields: &[(&str, &str)]) -> Result<String, Reason> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        key_of(&headers).map(str::to_owned)
    }

    #[test]
    fn one_key_is_read_from_either_header() {
        let (bearer, plain) = ("authorization", "x-api-key");
        for fields in [
            &[(bearer, "Bearer k")][..],
            &[(bearer, "bEARER   k")],
            &[(plain, "k")],
            &[(plain, "k"), (bearer, "Bearer k")],
            &[(plain, "k"), (plain, "k")],
        ] {
            assert_eq!(key(fields).as_deref(), Ok("k"), "{fields:?}");
        }
        assert_eq!(key(&[("cookie", "k")]), Err(Reason::Missing));
        for fields in [
            &[(bearer, "Basic k")][..],
            &[(bearer, "Bearerk")],
            &[(bearer, "k")],
            &[(bearer, "Basic k"), (plain, "k")],
            &[(bearer, "Bearer k"), (plain, "l")],
            &[(plain, "k"), (plain, "l")],
        ] {
            assert_eq!(key(fields), Err(Reason::Malformed), "{fields:?}");
        }
    }
}
