//! Tests with other servers and their tools, behind the feature `server-tests`.

mod alerts;
mod browser;
mod haproxy;
mod metrics;
mod prometheus;
mod rolling_restart;
mod slowhttptest;
