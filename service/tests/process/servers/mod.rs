//! Tests with other servers and their tools, behind the feature `server-tests`.

mod haproxy;
mod prometheus;
mod rolling_restart;
