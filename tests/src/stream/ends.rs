//! How an exchange ends: by its last line, or so that nobody takes what came for all of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use super::talk::Talk;
use crate::keys::{create, folder, id, keys};
use crate::server::{Server, history, point};

/// A guard against hanging, not a promise about speed.
const WITHIN: Duration = Duration::from_secs(30);

fn line() -> String {
    format!("{}\n", point(9, 3.0))
}

async fn fitted() -> Server {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0, 3.0])).await.ok();
    server
}

async fn in_flight(server: &Server) -> f64 {
    let metrics = server.get("/metrics").await;
    let mut lines = metrics.text().lines();
    let gauge = lines.find_map(|line| line.strip_prefix("tidemark_http_requests_in_flight "));
    gauge.expect("such a metric").parse().expect("a number")
}

#[tokio::test]
async fn who_falls_silent_is_told_and_cut_off() {
    let server = fitted().await;
    let talks = [line(), line() + r#"{"timestamp":1,"#];
    let talks = talks.map(|sent| async {
        let begun = Instant::now();
        let mut talk = Talk::begin(&server, "/predict/a", "").await;
        talk.head().await;
        talk.send(sent).await;
        let (lines, is_whole) = talk.rest().await;
        assert!(!is_whole, "nobody takes it for all: {lines:?}");
        assert_eq!(lines.len(), 2, "{lines:?}");
        let told: Value = serde_json::from_str(&lines[1]).expect("JSON");
        assert_eq!(
            (&told["code"], &told["line"]),
            (&json!("body_timeout"), &json!(2))
        );
        assert!(
            begun.elapsed() > Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
    });
    futures_util::future::join_all(talks).await;
}

#[tokio::test]
async fn who_breaks_off_gets_no_end() {
    let server = fitted().await;
    let mut talk = Talk::begin(&server, "/predict/a", "").await;
    talk.head().await;
    talk.send(line()).await;
    talk.told().await;
    talk.writer.write_all(b"zz\r\n").await.expect("it reads");
    let (_, is_whole) = talk.rest().await;
    assert!(!is_whole);
}

#[tokio::test]
async fn who_hangs_up_ends_the_work() {
    let server = fitted().await;
    let before = in_flight(&server).await;
    let mut talks = Vec::new();
    for _ in 0..10 {
        let mut talk = Talk::begin(&server, "/predict/a", "").await;
        talk.head().await;
        talk.send(line()).await;
        talk.told().await;
        talks.push(talk);
    }
    assert_eq!(in_flight(&server).await, before + 10.0, "the control");
    drop(talks);
    let gone = async {
        while in_flight(&server).await > before {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(WITHIN, gone).await.expect("they are gone");
}

/// Who does not read is not read: of a body without end only so much is taken as buffers hold. All of it is answered
/// once somebody reads.
#[tokio::test]
async fn a_slow_reader_stops_the_reading() {
    const MOST: usize = 64 << 20;
    let server = fitted().await;
    let mut talk = Talk::begin(&server, "/predict/a", "").await;
    talk.head().await;
    let lines = line().repeat(1_000);
    let chunk = format!("{:x}\r\n{lines}\r\n", lines.len());
    let (mut sent, mut rest) = (0, chunk.as_bytes());
    // The socket takes some, then nothing for a while.
    while let Ok(n) = timeout(Duration::from_secs(2), talk.writer.write(rest)).await {
        let n = n.expect("it is open");
        rest = if n == rest.len() {
            chunk.as_bytes()
        } else {
            &rest[n..]
        };
        sent += n;
        assert!(sent < MOST, "it is read without end");
    }
    let (left, n) = (rest.to_vec(), (sent + rest.len()) / chunk.len() * 1_000);
    let (mut reading, mut writer) = talk.split();
    let finish = tokio::spawn(async move {
        writer.write_all(&left).await?;
        writer.write_all(b"0\r\n\r\n").await?;
        std::io::Result::Ok(writer)
    });
    let (lines, is_whole) = reading.rest().await;
    finish.await.expect("no panic").expect("it reads");
    assert!(is_whole, "{} of {n}", lines.len());
    assert_eq!(lines.len(), n);
    assert!(lines.iter().all(|line| *line == lines[0]));
}

#[tokio::test]
async fn a_key_that_is_revoked_answers_no_further_line() {
    let (_folder, data_dir) = folder();
    let key = create(&data_dir, "owner", "fit,predict");
    let server = Server::at(&data_dir, &[]).await;
    let headers = [
        ("x-api-key", key.as_str()),
        ("content-type", "application/json"),
    ];
    let body = history(&[1.0, 2.0, 4.0]).to_string();
    server.send("POST", "/fit/a", &headers, body).await.ok();
    let own = format!("X-Api-Key: {key}\r\n");
    let mut one = Talk::begin(&server, "/predict/a", &own).await;
    let mut many = Talk::begin(&server, "/predict", &own).await;
    let named = r#"{"series_id":"a","timestamp":9,"value":1}"#;
    for (talk, line) in [(&mut one, line()), (&mut many, format!("{named}\n"))] {
        talk.head().await;
        talk.send(&line).await;
        let told = talk.told().await;
        assert!(told.contains("anomaly_score"), "{told}");
    }
    keys(&data_dir, &["revoke", id(&key)]).expect("it is there");
    let refused = async || {
        while server
            .send("GET", "/series/a/aliases", &headers, "")
            .await
            .status
            != 401
        {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(WITHIN, refused())
        .await
        .expect("the server hears of it");
    for (talk, line) in [(&mut one, line()), (&mut many, format!("{named}\n"))] {
        talk.send(&line).await;
        let (lines, is_whole) = talk.rest().await;
        assert!(!is_whole && lines.len() == 1, "{lines:?}");
        assert!(lines[0].contains("authentication_required"), "{lines:?}");
    }
}
