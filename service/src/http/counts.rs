//! Replies by route, method and status, and how long they took.
//!
//! Every counter is there from the start, at a place that follows from the three: counting a reply looks nothing up in
//! a map, takes no lock and is three atomic additions.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use actix_web::http::Method;

use super::route::Route;
use crate::metrics::{Histogram, SECONDS};

/// The methods as metrics name them; whatever else a client sends is the last one, or it could make labels.
const METHODS: [&str; 6] = ["POST", "GET", "HEAD", "PUT", "DELETE", "other"];

/// The statuses of our replies, frequent ones first.
const STATUSES: [u16; 19] = [
    200, 503, 422, 404, 429, 201, 204, 400, 401, 403, 405, 406, 408, 409, 412, 413, 415, 500, 507,
];

/// The work that clients send.
const WORK: [Route; 5] = [
    Route::Predict,
    Route::PredictMany,
    Route::Update,
    Route::Fit,
    Route::Detect,
];

const N_PLACES: usize = STATUSES.len() + 1;

/// The counts of the main port.
pub struct HttpCounts {
    replies: Box<[AtomicU64]>,
    seconds: Box<[Histogram]>,
    hung_up: Box<[AtomicU64]>,
}

/// Replies of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replies {
    /// What was asked for.
    pub route: Route,
    /// How.
    pub method: &'static str,
    /// The answer; 0 for statuses that no reply should have.
    pub status: u16,
    /// How many.
    pub count: u64,
}

impl Default for HttpCounts {
    fn default() -> Self {
        let zeros = |n| (0..n).map(|_| AtomicU64::new(0)).collect();
        let routes = Route::ALL;
        Self {
            replies: zeros(routes.len() * METHODS.len() * N_PLACES),
            seconds: routes.iter().map(|_| Histogram::new(SECONDS)).collect(),
            hung_up: zeros(routes.len()),
        }
    }
}

impl HttpCounts {
    /// Counts a reply of which head and, unless it is streamed, body are made.
    pub fn reply(&self, route: Route, method: &Method, status: u16, took: Duration) {
        self.replies[place(route, method, status)].fetch_add(1, Relaxed);
        self.seconds[route as usize].observe(took.as_secs_f64());
    }

    /// Counts a request whose client went away before there was a reply.
    pub fn hung_up(&self, route: Route) {
        self.hung_up[route as usize].fetch_add(1, Relaxed);
    }

    /// The replies that there were, and the served and refused ones of `WORK` in any case: a rate that begins at the
    /// first refusal would miss it.
    pub fn replies(&self) -> impl Iterator<Item = Replies> {
        let all = self.replies.iter().enumerate();
        all.map(|(at, count)| Replies {
            route: Route::ALL[at / N_PLACES / METHODS.len()],
            method: METHODS[at / N_PLACES % METHODS.len()],
            status: STATUSES.get(at % N_PLACES).copied().unwrap_or(0),
            count: count.load(Relaxed),
        })
        .filter(|it| {
            let is_watched = it.method == "POST" && matches!(it.status, 200 | 503);
            it.count > 0 || is_watched && WORK.contains(&it.route)
        })
    }

    /// Seconds from the request's head to the reply's, of the routes that were asked for.
    pub fn seconds(&self) -> impl Iterator<Item = (Route, &Histogram)> {
        let routes = Route::ALL.iter().copied();
        let all = routes.zip(&self.seconds);
        all.filter(|(route, seconds)| WORK.contains(route) || seconds.is_used())
    }

    /// Requests whose client went away, of the routes where there were any and of `WORK`.
    pub fn all_hung_up(&self) -> impl Iterator<Item = (Route, u64)> {
        let counts = self.hung_up.iter().map(|count| count.load(Relaxed));
        let all = Route::ALL.iter().copied().zip(counts);
        all.filter(|(route, count)| WORK.contains(route) || *count > 0)
    }
}

fn place(route: Route, method: &Method, status: u16) -> usize {
    let method = method.as_str();
    let last = METHODS.len() - 1;
    let method = METHODS[..last].iter().position(|name| *name == method);
    let status = STATUSES.iter().position(|known| *known == status);
    (route as usize * METHODS.len() + method.unwrap_or(last)) * N_PLACES
        + status.unwrap_or(STATUSES.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_counted_where_it_belongs() {
        let counts = HttpCounts::default();
        let odd = Method::from_bytes(b"other").unwrap();
        let told = [
            (Route::Predict, Method::POST, "POST", 200),
            (Route::Alias, Method::DELETE, "DELETE", 204),
            (Route::Unmatched, Method::PATCH, "other", 404),
            (Route::Unmatched, odd, "other", 405),
            (Route::Metrics, Method::GET, "GET", 200),
        ];
        for (n, (route, method, ..)) in told.iter().enumerate() {
            for _ in 0..=n {
                counts.reply(*route, method, told[n].3, Duration::from_millis(1));
            }
        }
        let counted: Vec<Replies> = counts.replies().filter(|it| it.count > 0).collect();
        assert_eq!(counted.len(), told.len());
        for (n, (route, _, method, status)) in told.into_iter().enumerate() {
            let count = n as u64 + 1;
            let expected = Replies {
                route,
                method,
                status,
                count,
            };
            assert!(counted.contains(&expected), "{expected:?} in {counted:?}");
        }
        let timed: u64 = counts.seconds().map(|(_, it)| it.snapshot().count()).sum();
        assert_eq!(timed, 15);
    }

    #[test]
    fn every_status_of_the_table_of_problems_has_a_place() {
        for code in api::Code::ALL {
            let status = code.row().status;
            assert!(STATUSES.contains(&status), "{}: {status}", code.slug());
        }
    }
}
