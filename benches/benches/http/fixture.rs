//! Folders, set-up and lengths of runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use benches::ask::Connection;
use benches::process::Server;
use benches::report::Rounds;
use benches::servers::Role;
use benches::{data, is_smoke, requests};
use service::store::Durability;
use tempfile::TempDir;

/// A folder on the disk that the build uses: a temporary file system in memory syncs nothing.
pub(crate) fn folder() -> TempDir {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(target).expect("the target folder can be written");
    tempfile::tempdir_in(target).expect("a folder can be made")
}

pub(crate) fn rounds() -> Rounds {
    let (n, ms) = if is_smoke() { (1, 20) } else { (7, 1_500) };
    Rounds {
        n,
        turn: Duration::from_millis(ms),
    }
}

pub(crate) fn warm_up() -> Duration {
    Duration::from_millis(if is_smoke() { 20 } else { 500 })
}

/// The service with one fitted series, and a file with its reply to [`predicts`].
pub(crate) struct Fitted {
    pub(crate) service: Server,
    pub(crate) reply: PathBuf,
}

impl Fitted {
    pub(crate) fn start(folder: &TempDir) -> Self {
        let service = Server::start(&Role::service(
            folder.path().join("data"),
            Durability::Synced,
        ));
        let mut connection = Connection::open(service.addr()).expect("the service listens");
        let points = data::history(1_000, 1);
        let more = r#""model":"gaussian","sigma":3"#;
        connection.must(&requests::fit(&data::series_id(0), &points, Some(more)));
        for (value, anomalous) in [(20.123, false), (99.5, true)] {
            let body = connection.must(&requests::predict(&data::series_id(0), value));
            let reply: serde_json::Value = serde_json::from_slice(&body).expect("it is JSON");
            assert_eq!(reply["anomaly"], anomalous, "{reply}");
            assert_eq!(reply["model_version"], "1", "{reply}");
            let bound = reply["upper_bound"].as_f64().expect("a bound is a number");
            assert_eq!(value > bound, anomalous, "{reply}");
        }
        let body = connection.must(&requests::predict(&data::series_id(0), 20.123));
        let reply = folder.path().join("reply");
        fs::write(&reply, body).expect("the disk has room");
        Self { service, reply }
    }
}

/// Predicts of one series, values in turn.
pub(crate) fn predicts() -> impl FnMut(&mut Vec<u8>) + 'static {
    let id = data::series_id(0);
    let requests: Vec<Vec<u8>> = data::history(1_024, 2)
        .values
        .into_iter()
        .map(|value| requests::predict(&id, value))
        .collect();
    let mut next = 0;
    move |out| {
        out.extend_from_slice(&requests[next % requests.len()]);
        next += 1;
    }
}
