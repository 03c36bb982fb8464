"""What Schemathesis has to be told about Tidemark: lines of JSON, series that are series, and one more check."""

import json

import schemathesis
from schemathesis.specs.openapi.checks import is_unexpected_http_status_case

LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
CSV = "text/csv"
DEADLINE = "x-request-deadline-ms"
LONG = 60_000

# Problems of requests that are valid by the document. Whatever else a valid request is refused for is a failure.
COLUMNS = {"lengths_differ", "timestamps_not_increasing"}
# No pattern knows the calendar, the database of time zones or what the unit of a model can tell.
TIMES = {"timestamp_invalid"}
BEYOND_THE_SCHEMA = {
    "fit": COLUMNS
    | TIMES
    | {
        "values_constant",
        "too_few_points",  # after `exclude`
        "model_does_not_fit",
        "parameter_conflict",
        "parameter_unsupported",  # of this model
        "parameter_out_of_range",  # a time zone; periods of this history; `exclude` that ends before it begins
        "idempotency_key_reused",
    },
    "detect": COLUMNS
    | {"too_few_points", "parameter_out_of_range", "parameter_unsupported"},
    "backtest": COLUMNS
    | TIMES
    | {
        "missing_field",  # one column without the other
        "conflicting_fields",  # points and `history_of`
        "too_few_points",
        "parameter_conflict",
        "parameter_unsupported",  # of this model
        "parameter_out_of_range",  # a time zone; points of this history; neither candidate nor version
        "invalid_alias",  # what is no version's number
        "tenant_over_share",  # as many wait as may
    },
    "give_feedback": TIMES | {
        "missing_field",  # neither a point nor both ends
        "conflicting_fields",  # both; ticks and an instant
        "parameter_out_of_range",  # an end before its beginning; 1,000 entries
    },
    "predict": {"lengths_differ", "parameter_conflict", "invalid_query"} | TIMES,
    "predict_many": set(),
    "update": {
        "lengths_differ",
        "parameter_conflict",
        "parameter_out_of_range",
        "parameter_unsupported",
        "invalid_query",
    }
    | TIMES,
    "freeze": {"too_few_points", "idempotency_key_reused"},
    "put_alias": {"parameter_conflict", "invalid_alias"},  # both conditions; 100 aliases
    "delete_alias": {"parameter_conflict"},
    "calibration": {"invalid_query"},
}
# No schema knows what is a table of points. Where these are refused as tables, they are refused as CSV.
TABLES = {"malformed_csv", "missing_field", "unknown_field", "duplicate_field", "value_not_a_number", "too_few_points"}
# A cursor is what a page before told.
OPAQUE = {"invalid_cursor"}
# What is not there, or is not as the request assumes.
NOT_AS_ASSUMED = {404, 409, 412}


@schemathesis.serializer(*LINES)
def lines_of(ctx, value):
    """A list is written an entry a line; anything else as it is."""
    if isinstance(value, bytes):
        return {"data": value}
    entries = value if isinstance(value, list) else [value]
    return {"data": "\n".join(json.dumps(entry) for entry in entries).encode()}


@schemathesis.serializer(CSV)
def table_of(ctx, value):
    """A table is text already."""
    return {"data": value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")}


@schemathesis.deserializer(CSV)
def text_of(ctx, response):
    """The rows of a reply as they are."""
    return response.content.decode()


@schemathesis.deserializer(*LINES)
def entries_of(ctx, response):
    """The lines of a reply as a list."""
    return [json.loads(line) for line in response.content.split(b"\n") if line]


def numbers(values):
    """Whether `values` is a list of numbers, and not of truth values."""
    return isinstance(values, list) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in values
    )


def with_integers(value):
    """To JSON Schema 44.0 is an integer; Tidemark, as its documentation says, reads integers as 44, but for values."""
    if isinstance(value, dict):
        return {key: it if key in ("value", "values") else with_integers(it) for key, it in value.items()}
    if isinstance(value, list):
        return [with_integers(it) for it in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.hook
def map_body(context, body):
    """Makes columns of equal length and in order, so that most histories are histories and not refused at once."""
    body = with_integers(body)
    if not isinstance(body, dict) or "timestamps" not in body or "values" not in body:
        return body
    times, values = body["timestamps"], body["values"]
    if not numbers(times) or not numbers(values) or not times:
        return body
    # As many as there were: what a negative test makes too short stays too short. One in eight is left as it is.
    if (len(times) + len(values)) % 8 == 7:
        return body
    n = min(len(times), len(values))
    if n < 3:
        return body
    ordered = sorted(set(times[:n]))
    if len(ordered) < 3:
        return body
    return {**body, "timestamps": ordered, "values": values[: len(ordered)]}


@schemathesis.hook
def before_call(context, case, kwargs):
    """A caller that waits a few milliseconds is rightly told 503: valid deadlines become long ones."""
    for name in case.headers or {}:
        if name.lower() == DEADLINE and 0 < milliseconds(case.headers[name]) < LONG:
            case.headers[name] = str(LONG)


def milliseconds(text):
    """What a deadline says, or 0 if it says nothing valid."""
    return int(text) if str(text).isdecimal() and str(text).isascii() else 0


@schemathesis.hook
def filter_case(context, case):
    """Header fields that nobody knows are ignored, as RFC 9110 (5.1) wants it, and not refused. A bad line of points is
    answered in its place, after the 200 of the whole."""
    if case.media_type in LINES and case.meta is not None and case.meta.generation.mode.is_negative:
        return False
    return not any("unknown-property" in name for name in map(str.lower, case.headers or {}))


@schemathesis.check
def refused_for_what_the_schema_says(ctx, response, case):
    """The place of `positive_data_acceptance`, with the problem's code instead of the status alone."""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or is_unexpected_http_status_case(case):
        return
    status = response.status_code
    if 200 <= status < 300 or status in NOT_AS_ASSUMED:
        return
    if case.method.upper() == "HEAD":
        return  # the code is in the content that was not asked for; GET is asked the same
    operation = case.operation.definition.raw.get("operationId", "")
    codes = BEYOND_THE_SCHEMA.get(operation, set())
    if case.media_type == CSV:
        codes = codes | TABLES | TIMES | {"value_not_finite"}
    code = response.json().get("code")
    # Following links, Schemathesis writes `:` and `@` of an id as escapes, which a path does not need (RFC 3986, 3.3) and
    # an id does not have.
    if code == "invalid_series_id" and any(it in response.request.url for it in ("%3A", "%40")):
        return
    codes = codes | OPAQUE
    assert code in codes, f"{operation}: a valid request was refused with {status} {code}"
