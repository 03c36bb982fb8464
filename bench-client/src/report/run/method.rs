//! How it was measured, for a reader who wants to know what a figure means.

use maud::{Markup, html};

use super::super::figures::exact;
use crate::results::config::Pace;
use crate::results::summary::RunData;

pub(super) fn section(run: &RunData) -> Markup {
    let load = &run.config.load;
    html! {
        section.method {
            h2 { "How it was measured" }
            ul {
                @match &load.pace {
                    Pace::Open { .. } => li {
                        "The moments of sending were fixed beforehand, whether or not replies kept up. \
                        " strong { "Latency" } " runs from the intended moment to the last byte of the \
                        reply, so that a stall of the server counts for every request that was due in it. \
                        A request that found no free connection waited, and its wait is part of its latency; only \
                        lag that is the client’s own counts against the measurement."
                    },
                    Pace::Closed { .. } => li {
                        "Each client sent its next request when the reply to the last one was there. "
                        strong { "Latency" } " runs from sending to the last byte of the reply. While a \
                        reply is late, its client sends nothing: a closed loop sees a stall once a client, \
                        not once for every request that users would have sent."
                    },
                }
                li {
                    "Requests are built before their clock starts. All moments are read from one \
                    monotonic clock in nanoseconds; a request that has no whole reply after "
                    (exact(load.timeout_ns as f64)) " has timed out."
                }
                li {
                    "Count, minimum, maximum and mean are exact. Quantiles are those of a histogram with \
                    three digits, by nearest rank, never outside the extremes. Their 95 % intervals are \
                    exact (binomial, of order statistics) for independent responses; responses that share a \
                    queue are not quite that, and real intervals are wider. A quantile with too few \
                    samples is not shown."
                }
                li {
                    "Successes, refusals, failures, timeouts and lost connections are kept apart: none \
                    of the latencies above mixes them. " strong { "Shed" } " means 429 or 503, "
                    strong { "refused" } " any other 4xx, " strong { "failed" } " any other status."
                }
                li {
                    "Charts over time place a request at the moment its outcome was known. Lines leave \
                    out windows with too few replies for their quantile."
                }
                li { "A client on the server's machine takes its processor time from the server." }
            }
        }
    }
}
