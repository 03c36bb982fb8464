//! Requests and replies of the main port.

use std::fmt;

use super::families::Families;
use crate::startup::State;

pub(super) fn tell(state: &State, out: &mut Families<'_>) -> fmt::Result {
    let http = &state.metrics.http;
    // The labels are lent to what is written.
    let replies: Vec<_> = http
        .replies()
        .map(|it| (it, compact_str::format_compact!("{}", it.status)))
        .collect();
    out.counters(
        "tidemark_http_requests",
        "Replies of the main port, by the template of the path",
        replies.iter().map(|(it, status)| {
            let route = it.route.template();
            let labels = [("method", it.method), ("route", route), ("status", status)];
            (labels, it.count)
        }),
    )?;
    out.counters(
        "tidemark_http_requests_hung_up",
        "Requests whose client closed the connection before the reply was made",
        http.all_hung_up()
            .map(|(route, count)| ([("route", route.template())], count)),
    )?;
    out.histograms(
        "tidemark_http_request_duration_seconds",
        "From the head of a request to the head of its reply",
        http.seconds()
            .map(|(route, seconds)| ([("route", route.template())], seconds)),
    )?;
    out.counters(
        "tidemark_connections_closed",
        "Connections of the main port that the server closed on its own account",
        state
            .metrics
            .connections
            .closed()
            .map(|(why, count)| ([("reason", why.reason())], count)),
    )?;
    if let Some(not_after) = state.metrics.certificate.unix_s() {
        out.gauge(
            "tidemark_tls_certificate_not_after_seconds",
            "When the TLS certificate in use ends, in Unix seconds",
            not_after,
        )?;
    }
    out.gauge(
        "tidemark_http_requests_in_flight",
        "Requests whose reply is not made, or is being streamed",
        state.in_flight() as u64,
    )
}
