//! Requests that a proxy in front may read as others than the server does: refused, the connection closed, and what was
//! smuggled never answered.
//!
//! The forms are those of RFC 9112, section 11.2, and of what was found in servers and proxies since.

mod forms;
mod lenient;
mod talk;

use std::net::SocketAddr;
use std::time::Duration;

use crate::problem::assert_problem;
use crate::server::Server;
use forms::Form;
use talk::{Talk, talk};

/// A guard against hanging: a server that keeps the connection open is told by this.
const CLOSED_WITHIN: Duration = Duration::from_secs(12);
/// Connections at a time.
const AT_ONCE: usize = 16;

/// Sends every form on a connection of its own; what is wrong with the answers.
fn try_all(addr: SocketAddr, forms: &[Form], patience: Duration) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    for some in forms.chunks(AT_ONCE) {
        let talks = std::thread::scope(|scope| {
            let started: Vec<_> = some
                .iter()
                .map(|form| scope.spawn(move || talk(addr, &form.bytes, patience)))
                .collect();
            let ended = started
                .into_iter()
                .map(|thread| thread.join().expect("it does not panic"));
            ended.collect::<Vec<_>>()
        });
        for (form, talk) in some.iter().zip(&talks) {
            if let Err(reason) = judge(talk) {
                wrong.push((form.name.clone(), reason));
            }
        }
    }
    wrong
}

/// One refusal, by a status that says it is the caller's fault, and no more on this connection.
fn judge(talk: &Talk) -> Result<(), String> {
    let statuses: Vec<u16> = talk.replies.iter().map(|reply| reply.status).collect();
    let [reply] = &talk.replies[..] else {
        return Err(format!(
            "there are {} replies: {statuses:?}",
            statuses.len()
        ));
    };
    // 408 is for a body that does not end, 413 for one that is too large, 431 for a head that is.
    if !matches!(reply.status, 400 | 413 | 431) {
        return Err(format!("it is answered with {}", reply.status));
    }
    if !talk.is_closed || !talk.rest.is_empty() {
        return Err(format!(
            "the connection goes on: {:?}",
            String::from_utf8_lossy(&talk.rest)
        ));
    }
    if !reply.body.is_empty() {
        assert_problem(
            reply,
            reply.status,
            reply.json()["code"].as_str().unwrap_or("none"),
        );
    }
    Ok(())
}

#[tokio::test]
async fn every_form_is_refused_and_the_connection_closed() {
    let server = Server::start().await;
    let addr = server.addr;
    let forms = forms::all();
    println!("{} forms", forms.len());
    let wrong = tokio::task::spawn_blocking(move || try_all(addr, &forms, CLOSED_WITHIN)).await;
    let wrong = wrong.expect("nothing panics");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(server.series_trained().await, 0, "nothing was smuggled in");
    server.get("/healthcheck").await.ok();
}

/// The negative control: a server that takes everything, and does so on a connection that stays.
#[tokio::test]
async fn a_lenient_server_is_told_of_every_form() {
    let lenient = lenient::Lenient::start();
    let addr = lenient.addr();
    let forms = forms::all();
    let n = forms.len();
    let wrong =
        tokio::task::spawn_blocking(move || try_all(addr, &forms, Duration::from_millis(300)))
            .await;
    let wrong = wrong.expect("nothing panics");
    assert_eq!(wrong.len(), n, "each of them is reported");
}

/// The negative control of the judge: each of its rules by itself.
#[test]
fn an_answer_that_breaks_one_rule_is_noticed() {
    let reply = |status| crate::reply::Reply {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    };
    let talk = |statuses: &[u16], is_closed, rest: &str| Talk {
        replies: statuses.iter().map(|status| reply(*status)).collect(),
        rest: rest.as_bytes().to_vec(),
        is_closed,
    };
    assert!(judge(&talk(&[400], true, "")).is_ok());
    for wrong in [
        talk(&[], true, ""),
        talk(&[200], true, ""),
        talk(&[500], true, ""),
        talk(&[400], false, ""),
        talk(&[400, 200], true, ""),
        talk(&[400], true, "HTTP/1.1 200"),
    ] {
        assert!(judge(&wrong).is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_request_within_a_body_is_a_body() {
    let server = Server::start().await;
    let addr = server.addr;
    for (name, carrier) in forms::carriers() {
        // What comes next on the connection is answered in its turn, or the connection is closed.
        let both = format!(
            "{carrier}GET /problems/not_found HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        );
        let is_head = name.starts_with("HEAD");
        let talk =
            tokio::task::spawn_blocking(move || talk(addr, both.as_bytes(), CLOSED_WITHIN)).await;
        let talk = talk.expect("nothing panics");
        println!(
            "{name}: {:?}",
            talk.replies
                .iter()
                .map(|reply| reply.status)
                .collect::<Vec<_>>()
        );
        // The length that a reply to HEAD tells is not that of what follows.
        if is_head {
            assert!(talk.replies.len() <= 1, "{name}");
            continue;
        }
        match &talk.replies[..] {
            [_] => assert!(talk.is_closed, "{name}"),
            [_, next] => assert!(
                next.text().starts_with("not_found (404)"),
                "{name}: {next:?}"
            ),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(server.series_trained().await, 0, "nothing was smuggled in");
}

#[tokio::test]
async fn what_is_unusual_and_right_is_served() {
    let server = Server::start().await;
    for (index, (name, request)) in forms::right().into_iter().enumerate() {
        let reply = crate::raw::exchange(server.addr, request.into_bytes()).await;
        println!("{name}: {}", reply.text());
        assert_eq!(reply.ok()["version"], (index + 1).to_string(), "{name}");
    }
}
