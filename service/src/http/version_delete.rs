//! `DELETE /series/{series_id}/versions/{version}`.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use api::{Code, FieldError, Loc, Rejection, VersionSelector};

use super::scoped::Series;
use super::{Call, convert};

pub(super) async fn delete(
    call: &Call<'_>,
    series: &Series<'_>,
    number: &str,
) -> Result<HttpResponse, Rejection> {
    api::query::read(call.request.query_string(), [])?;
    let version = match VersionSelector::parse_at(["path", "version"], number)? {
        VersionSelector::Exactly(version) => version,
        // Sent again, it would delete one version after the other.
        VersionSelector::Latest => {
            let place = [Loc::from("path"), Loc::from("version")];
            let error = FieldError::new(place, "what is deleted is named by its number: 0 is none");
            return Err(Rejection::one(Code::InvalidVersion, error));
        }
    };
    let assumed = assumed_by(call.request);
    let registry = call.state.registry()?;
    let deleted = registry.delete_version(series.name(), version, assumed.as_deref());
    deleted.await.map_err(|error| convert::rejection(&error))?;
    Ok(HttpResponse::new(StatusCode::NO_CONTENT))
}

/// The hashes that `If-Match` names; `None` if any version will do (RFC 9110, section 13.1.1).
fn assumed_by(request: &HttpRequest) -> Option<Vec<[u8; 16]>> {
    let lists = request.headers().get_all(header::IF_MATCH);
    let lists: Vec<_> = lists
        .map(|list| String::from_utf8_lossy(list.as_bytes()))
        .collect();
    let tags = lists.iter().flat_map(|list| list.split(',')).map(str::trim);
    // A version that is not there is not found anyhow.
    if lists.is_empty() || tags.clone().any(|tag| tag == "*") {
        return None;
    }
    Some(tags.filter_map(hash_of).collect())
}

/// The hash that a tag names. A weak tag, or one that is not ours, matches nothing.
fn hash_of(tag: &str) -> Option<[u8; 16]> {
    let hex = tag.strip_prefix('"')?.strip_suffix('"')?;
    let is_hex = hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let number = is_hex.then(|| u128::from_str_radix(hex, 16).ok())??;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use detectors::envelope::digest_hex;

    use super::*;

    #[test]
    fn tags_are_hashes_in_quotes() {
        let (one, two) = ([0x1f; 16], [0xe0; 16]);
        let [first, second] = [one, two].map(|hash| format!("\"{}\"", digest_hex(&hash)));
        let assumed = |lists: &[&str]| {
            let request = TestRequest::default();
            let request = lists.iter().fold(request, |request, list| {
                request.append_header((header::IF_MATCH, *list))
            });
            assumed_by(&request.to_http_request())
        };
        assert_eq!(assumed(&[]), None);
        assert_eq!(assumed(&["*"]), None);
        assert_eq!(assumed(&[&first]), Some(vec![one]));
        let both = Some(vec![one, two]);
        assert_eq!(assumed(&[&format!("{first} , {second}")]), both);
        assert_eq!(assumed(&[&first, &second]), both);
        for nothing in [
            &format!("W/{first}"),
            first.trim_matches('"'),
            "\"7\"",
            "",
            &first.to_uppercase(),
            "\"+f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f\"",
        ] {
            assert_eq!(assumed(&[nothing]), Some(vec![]), "{nothing}");
        }
    }
}
