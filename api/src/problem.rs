//! Problems: one table of codes, and the RFC 9457 document that carries one.

use serde::Serialize;
use utoipa::ToSchema;

/// One row of the table of problems.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The stable code, also the last step of the problem's `type`.
    pub slug: &'static str,
    /// The HTTP status it is answered with.
    pub status: u16,
    /// The short summary, the same for every occurrence.
    pub title: &'static str,
    /// What the caller can do about it.
    pub advice: &'static str,
}

macro_rules! problem_table {
    ($($variant:ident = $slug:literal, $status:literal, $title:literal, $advice:literal;)+) => {
        /// A stable problem code. Each has one row in the table; a new problem is one row more.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $slug, "`: ", $title)] $variant,)+
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code's row.
            #[must_use]
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row { slug: $slug, status: $status, title: $title, advice: $advice },)+
                }
            }
        }
    };
}

problem_table! {
    MalformedRequest = "malformed_request", 400, "The request is malformed",
        "The request line, a header or the framing of the body could not be read. Check the client library.";
    AuthenticationRequired = "authentication_required", 401, "The caller has to authenticate",
        "Send a live API key as Authorization: Bearer KEY or as x-api-key: KEY; whoever runs the server makes one with tidemark keys create.";
    InsufficientScope = "insufficient_scope", 403, "The API key may not be used for this",
        "The detail names the scope that is needed; ask with a key that has it.";
    LocalOnly = "local_only", 403, "Only a caller on the same machine may do this",
        "Ask from the server's own machine, or start it with --insecure if the network around it is trusted.";
    NotFound = "not_found", 404, "There is nothing at this path",
        "See the list of endpoints; a path is matched byte by byte, without percent-decoding.";
    UnknownSeries = "unknown_series", 404, "The series is not known",
        "Fit the series first with POST /fit/{series_id}.";
    UnknownVersion = "unknown_version", 404, "The series has no such version",
        "Versions count from 1, and those that were deleted do not come back; 0 or no version means the latest.";
    UnknownAlias = "unknown_alias", 404, "The series has no such alias",
        "GET /series/{series_id}/aliases lists those there are; PUT /series/{series_id}/aliases/{alias} makes one.";
    NoOnlineState = "no_online_state", 404, "The series has no online state",
        "Start one with POST /update/{series_id}.";
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed here",
        "The Allow header lists the methods of this path.";
    NotAcceptable = "not_acceptable", 406, "The reply cannot be made as it is asked for",
        "The detail lists the media types of this reply: send one of them in Accept, or no Accept.";
    BodyTimeout = "body_timeout", 408, "The body did not arrive in time",
        "Nothing was done, and the connection is closed. Send the body at once, or allow more time in X-Request-Deadline-Ms.";
    OnlineStateExists = "online_state_exists", 409, "The series has an online state already",
        "Leave out the parameters that say how to start one; they cannot be changed.";
    VersionInUse = "version_in_use", 409, "Aliases point to the version",
        "Point the aliases that `errors` names to another version, or delete them, and send the request again.";
    SeriesDeleted = "series_deleted", 409, "The series was deleted meanwhile",
        "Nothing of the request was stored. Send it again to begin the series anew.";
    VersionPreconditionFailed = "version_precondition_failed", 412, "The version is not the one that the request assumes",
        "Send in If-Match the model_hash of the version that is to go, in quotes.";
    AliasPreconditionFailed = "alias_precondition_failed", 412, "The alias is not as the request assumes",
        "GET the alias, decide again, and send If-Match with the ETag that is told.";
    BodyTooLarge = "body_too_large", 413, "The body is too large",
        "Send fewer points in one request, or raise the server's --max-body.";
    UnsupportedMediaType = "unsupported_media_type", 415, "The media type is not read",
        "Send application/json; application/x-ndjson to a predict or an update; text/csv to a fit, a predict, an update or a detection. As it is, or coded with gzip or zstd.";
    MalformedJson = "malformed_json", 422, "The body is not JSON",
        "The detail gives line and column. NaN and Infinity are no JSON numbers.";
    MalformedCsv = "malformed_csv", 422, "The body is not CSV",
        "The detail gives line and column. The first line is timestamp,value; each other one has two cells (RFC 4180).";
    MissingField = "missing_field", 422, "A required field is missing",
        "Add the field that `errors` names.";
    UnknownField = "unknown_field", 422, "A field is not known",
        "Remove or correct the field that `errors` names; nothing is ignored silently.";
    DuplicateField = "duplicate_field", 422, "A field is given twice",
        "Send each field once.";
    ConflictingFields = "conflicting_fields", 422, "Fields do not go together",
        "Send either of the fields that `errors` names.";
    InvalidType = "invalid_type", 422, "A field has the wrong type",
        "See the type that the detail expects.";
    LengthsDiffer = "lengths_differ", 422, "The columns have different lengths",
        "Send as many timestamps as values.";
    TooFewPoints = "too_few_points", 422, "There are too few points",
        "A fit needs at least min_training_points points, 3 by default; a detection 3, or min_points.";
    TimestampInvalid = "timestamp_invalid", 422, "A timestamp is not a time",
        "Send ticks of the time_unit since 1970, seconds by default: integers in a fit; digits in a string, an integer or RFC 3339 elsewhere.";
    TimestampNegative = "timestamp_negative", 422, "A timestamp is negative",
        "Times count from 1970 and are not negative.";
    TimestampsNotIncreasing = "timestamps_not_increasing", 422, "The timestamps do not strictly increase",
        "Sort the points by time and keep one point a timestamp.";
    ValueNotANumber = "value_not_a_number", 422, "A value is not a number",
        "Send JSON numbers; leave points without a value out.";
    ValueNotFinite = "value_not_finite", 422, "A value is not finite",
        "NaN, infinities and numbers beyond the range of a double are no values; leave such points out.";
    ValuesConstant = "values_constant", 422, "All values are equal",
        "A series that never changed has no scale to measure a deviation by: send a history with some variation.";
    InvalidSeriesId = "invalid_series_id", 422, "The series id is not valid",
        "An id has 1 to 256 characters of A-Z a-z 0-9 . _ : @ - and is neither `.` nor `..`.";
    InvalidVersion = "invalid_version", 422, "The version is not valid",
        "A version is digits with an optional leading v; 0 means the latest.";
    InvalidAlias = "invalid_alias", 422, "The alias is not valid",
        "An alias is a-z followed by up to 63 of a-z 0-9 _ -, and neither `latest` nor like a version; a series has up to 100.";
    InvalidLabel = "invalid_label", 422, "A label is not valid",
        "A label is a key of 1 to 63 characters of A-Z a-z 0-9 . _ / - and a value of up to 256 bytes without control characters; a series has up to 32, and a filter is key=value.";
    InvalidCursor = "invalid_cursor", 422, "The cursor is not valid",
        "Send next_cursor of the page before as it is, with the parameters of that page; or leave it out to begin anew.";
    InvalidArtifact = "invalid_artifact", 422, "The artifact cannot be imported",
        "Send the bytes of GET /series/{series_id}/versions/{version}/artifact as they were received; the detail says what is wrong with them.";
    InvalidQuery = "invalid_query", 422, "A query parameter is not valid",
        "Remove or correct the parameter that `errors` names.";
    InvalidHeader = "invalid_header", 422, "A header field is not valid",
        "Remove or correct the header field that `errors` names.";
    UnknownModel = "unknown_model", 422, "There is no model of that name",
        "The detail lists the models.";
    ParameterOutOfRange = "parameter_out_of_range", 422, "A parameter is out of range",
        "The detail gives the range.";
    ParameterConflict = "parameter_conflict", 422, "Parameters do not go together",
        "Send one of the parameters that the detail names.";
    ParameterUnsupported = "parameter_unsupported", 422, "The model has no such parameter",
        "Leave the parameter out or name a model that has it.";
    ModelDoesNotFit = "model_does_not_fit", 422, "The model cannot be fitted to these values",
        "Leave model out, so that one is chosen, or name another.";
    IdempotencyKeyInvalid = "idempotency_key_invalid", 422, "The idempotency key is not valid",
        "Send one Idempotency-Key of 1 to 255 visible ASCII characters, such as a UUID; double quotes around it are no part of it.";
    IdempotencyKeyReused = "idempotency_key_reused", 422, "The idempotency key belongs to another request",
        "Send a new key with a new body; the same key answers for the body it was first sent with.";
    InvalidLogFilter = "invalid_log_filter", 422, "The filter of the logs is not valid",
        "A filter is levels (off, error, warn, info, debug, trace) and TARGET=LEVEL, separated by commas: info,request=debug.";
    TenantOverShare = "tenant_over_share", 429, "The caller has its share of the server",
        "Others wait, too. Try again after Retry-After, or send fewer requests at a time.";
    Internal = "internal", 500, "The server failed",
        "A defect of the server: report it with the request_id.";
    StoredRecordDamaged = "stored_record_damaged", 500, "A stored record is damaged",
        "The record's checksum does not match, so it is not used. Restore a backup or fit the series again.";
    StoreIncomplete = "store_incomplete", 500, "Acknowledged commits are missing from the store",
        "Waiting does not help: restore a backup, or let tidemark repair --accept-loss go on with what is there. Versions that are there are read by their numbers.";
    StoreUnavailable = "store_unavailable", 503, "The store is not available",
        "Nothing was acknowledged. Try again after Retry-After.";
    Overloaded = "overloaded", 503, "The server is at capacity",
        "Try again after Retry-After.";
    DeadlineExceeded = "deadline_exceeded", 503, "The request's deadline would pass before its turn",
        "Nothing was done. Try again after Retry-After, or allow more time in X-Request-Deadline-Ms.";
    StorageFull = "storage_full", 507, "The server has no space for it",
        "Nothing was written. Make room where --data-dir is; what is sent after that is stored, without a restart.";
}

impl Code {
    /// The stable code as text.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        self.row().slug
    }

    /// Finds a code by its text.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.slug() == slug)
    }
}

/// One step of the way to the offending place, such as `"body"`, `"timestamps"`, `4`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Loc {
    /// A part of the request or a field.
    Name(String),
    /// An index from 0.
    Index(usize),
}

impl From<&str> for Loc {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<usize> for Loc {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where.
    pub loc: Vec<Loc>,
    /// What, for people.
    pub msg: String,
    /// What, for programs: the problem's code.
    #[serde(rename = "type")]
    #[schema(schema_with = crate::schema::code)]
    pub kind: &'static str,
}

impl FieldError {
    /// An error at `loc`; its type is filled in by the rejection that carries it.
    pub fn new(loc: impl IntoIterator<Item = Loc>, msg: impl Into<String>) -> Self {
        Self {
            loc: loc.into_iter().collect(),
            msg: msg.into(),
            kind: "",
        }
    }
}

/// An RFC 9457 problem document.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem<'a> {
    /// A relative reference to the problem's page on the same server.
    #[serde(rename = "type")]
    #[schema(schema_with = crate::schema::problem_type)]
    kind: String,
    title: &'static str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    detail: &'a str,
    #[schema(schema_with = crate::schema::code)]
    code: &'static str,
    errors: &'a [FieldError],
    request_id: &'a str,
}

impl<'a> Problem<'a> {
    /// The document for one occurrence of `code`.
    #[must_use]
    pub fn new(code: Code, detail: &'a str, errors: &'a [FieldError], request_id: &'a str) -> Self {
        let row = code.row();
        Self {
            kind: format!("/problems/{}", row.slug),
            title: row.title,
            status: row.status,
            detail,
            code: row.slug,
            errors,
            request_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_found_by_their_text() {
        let slugs: HashSet<_> = Code::ALL.iter().map(|code| code.slug()).collect();
        assert_eq!(slugs.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(Code::from_slug(code.slug()), Some(*code));
            assert!((400..600).contains(&code.row().status));
        }
    }

    #[test]
    fn the_document_has_the_members_of_rfc_9457_and_of_the_contract() {
        let mut error = FieldError::new(
            [Loc::from("body"), Loc::from("timestamps"), Loc::from(4)],
            "4 is not above 5",
        );
        error.kind = Code::TimestampsNotIncreasing.slug();
        let errors = [error];
        let document = Problem::new(
            Code::TimestampsNotIncreasing,
            "body.timestamps[4]: 4 is not above 5",
            &errors,
            "r1",
        );
        insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
    }
}
