//! What every refusal owes, whatever was sent.

use api::{Problem, Rejection};

use crate::Outcome;

/// Most bytes of the document of a refusal: much less than what provoked it.
const DOCUMENT_MAX_BYTES: usize = 16 * 1024;

/// A refusal is the caller's fault, says what it is about, and is short.
pub(crate) fn check(rejection: &Rejection) -> Outcome {
    let status = rejection.code.row().status;
    if !(400..500).contains(&status) {
        return Err(format!(
            "a body is never the server's fault: {status}, {rejection:?}"
        ));
    }
    let is_told = !rejection.detail.is_empty()
        && rejection
            .errors
            .iter()
            .all(|error| !error.loc.is_empty() && !error.msg.is_empty());
    if !is_told {
        return Err(format!("a refusal says where and why: {rejection:?}"));
    }
    let document = Problem::new(rejection.code, &rejection.detail, &rejection.errors, "r1");
    let text = serde_json::to_string(&document).map_err(|error| error.to_string())?;
    if text.len() > DOCUMENT_MAX_BYTES {
        return Err(format!("a refusal of {} bytes is no answer", text.len()));
    }
    Ok(false)
}
