//! The record that every measured call leaves, one row of `fit.csv` or `predict.csv`.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::client::Outcome;
use crate::clock::{Clock, millis};

/// The status that charts and counts give to a call without a reply.
pub const NO_REPLY: i32 = -1;

/// The columns of a record in CSV: the notebook's in its order, then ours.
pub const COLUMNS: [&str; 10] = [
    "call_index",
    "series_id",
    "status_code",
    "ok",
    "delta_ms",
    "start_epoch_ms",
    "end_epoch_ms",
    "error",
    "body_preview",
    "since_intended_ms",
];

/// One measured call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Position of the call in its phase, from 0.
    pub call_index: usize,
    /// The series it was about.
    pub series_id: String,
    /// The reply's status; empty without a reply.
    pub status_code: Option<u16>,
    /// Whether the status was 200.
    pub ok: bool,
    /// Milliseconds from sending, which is after the wait for a worker, to the end of the
    /// reply's body.
    pub delta_ms: f64,
    /// When it was sent, milliseconds since the Unix epoch.
    pub start_epoch_ms: f64,
    /// When it was over, milliseconds since the Unix epoch.
    pub end_epoch_ms: f64,
    /// Why the call failed; empty for a success.
    pub error: Option<String>,
    /// The first [`PREVIEW_CHARS`](crate::client::PREVIEW_CHARS) characters of a failure's body; empty for a success.
    pub body_preview: Option<String>,
    /// Milliseconds from when the call was meant to start (in a burst: the burst's start) to
    /// the end of the reply's body. `delta_ms` leaves out the client's own queue; this does not.
    pub since_intended_ms: f64,
}

/// The moments of one call.
#[derive(Debug, Clone, Copy)]
pub struct Moments {
    /// When the load's shape asked for it.
    pub intended: Instant,
    /// When it was sent.
    pub start: Instant,
    /// When its outcome was known.
    pub end: Instant,
}

impl CallRecord {
    /// The record of a call about `series_id` with its outcome.
    #[must_use]
    pub fn new(
        call_index: usize,
        series_id: String,
        clock: &Clock,
        moments: Moments,
        outcome: &Outcome,
    ) -> Self {
        Self {
            call_index,
            series_id,
            status_code: outcome.status_code(),
            ok: outcome.is_ok(),
            delta_ms: millis(moments.end - moments.start),
            start_epoch_ms: clock.epoch_ms(moments.start),
            end_epoch_ms: clock.epoch_ms(moments.end),
            error: outcome.failure(),
            body_preview: outcome.body_preview(),
            since_intended_ms: millis(moments.end - moments.intended),
        }
    }

    /// The status, or [`NO_REPLY`].
    #[must_use]
    pub fn status_or_no_reply(&self) -> i32 {
        self.status_code.map_or(NO_REPLY, i32::from)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use reqwest::StatusCode;

    use super::*;

    fn record(outcome: &Outcome) -> CallRecord {
        let clock = Clock::start();
        let at = |ms| clock.origin() + Duration::from_millis(ms);
        let moments = Moments {
            intended: at(0),
            start: at(5),
            end: at(12),
        };
        CallRecord::new(3, "s".into(), &clock, moments, outcome)
    }

    fn reply(status: StatusCode, body: Bytes) -> Outcome {
        Outcome::Reply {
            status,
            retry_after: None,
            body,
        }
    }

    #[test]
    fn a_success_keeps_no_body() {
        let body = Bytes::from_static(b"{}");
        let status = StatusCode::OK;
        let record = record(&reply(status, body));
        assert_eq!((record.ok, record.status_code), (true, Some(200)));
        assert_eq!((record.error, record.body_preview), (None, None));
        assert_eq!((record.delta_ms, record.since_intended_ms), (7.0, 12.0));
        assert!((record.end_epoch_ms - record.start_epoch_ms - 7.0).abs() < 2e-3);
    }

    #[test]
    fn only_200_is_a_success() {
        let body = Bytes::from_static(b"made");
        let status = StatusCode::CREATED;
        let record = record(&reply(status, body));
        assert_eq!((record.ok, record.status_code), (false, Some(201)));
        assert_eq!(record.body_preview.as_deref(), Some("made"));
        assert_eq!(record.error.as_deref(), Some("HTTP 201 Created"));
    }

    #[test]
    fn no_reply_has_no_status() {
        let error = "gone".to_owned();
        let record = record(&Outcome::NoReply { error });
        assert_eq!((record.ok, record.status_code), (false, None));
        assert_eq!(record.status_or_no_reply(), -1);
        assert_eq!(record.error.as_deref(), Some("gone"));
    }
}
