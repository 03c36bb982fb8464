//! Requests to a running service from threads that wait for the answer.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Request, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use super::super::error::QualityError;
use super::wire::Problem;
use crate::base_url::BaseUrl;
use crate::client::{Client, Outcome};
use crate::clock;
use crate::reach::reach;

/// A guard against hanging: a detection of a long series on a busy machine takes minutes.
const TIMEOUT: Duration = Duration::from_secs(600);

/// How often a request is sent again that the service had no room for.
const RETRIES: usize = 5;

/// The longest wait before that, whatever the service asks for.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A service that can be reached, for any number of threads.
#[derive(Debug)]
pub struct Service {
    base: BaseUrl,
    client: Client,
    runtime: Runtime,
    run: String,
}

/// What a service answers to a request that it understood.
#[derive(Debug)]
pub(super) enum Answer<T> {
    Done(T),
    /// The rows cannot be used, and why.
    Refused(String),
}

impl Service {
    /// Connects, so that a wrong address is told before anything is read.
    ///
    /// # Errors
    /// Nothing listens there, or there is no client to be had.
    pub fn reach(base: &BaseUrl) -> Result<Self, QualityError> {
        let url = base.to_string();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| QualityError::Service {
                url,
                reason: error.to_string(),
            })?;
        runtime.block_on(reach(base))?;
        let client = Client::new(base, rayon::current_num_threads(), TIMEOUT);
        Ok(Self {
            base: base.clone(),
            client: client?,
            runtime,
            // Two runs may begin in the same second.
            run: format!(
                "{}_{:08x}",
                clock::run_id(Timestamp::now()),
                rand::random::<u32>()
            ),
        })
    }

    /// What tells this run from all others, in characters that an id may have.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// Posts `body` as JSON and waits for the answer.
    ///
    /// # Errors
    /// No answer, or one that is neither a `T` nor a refusal of the rows in `body`.
    pub(super) fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: Option<&str>,
        body: &impl Serialize,
    ) -> Result<Answer<T>, QualityError> {
        let request = self.client.post_json(path, query, body);
        let request = request.map_err(|error| self.error(path, error.to_string()))?;
        let outcome = self.runtime.block_on(self.send(request));
        match &outcome {
            Outcome::Reply { body, .. } if outcome.is_ok() => serde_json::from_slice(body)
                .map(Answer::Done)
                .map_err(|error| self.error(path, format!("not the reply expected: {error}"))),
            Outcome::Reply { status, body, .. } => match serde_json::from_slice::<Problem>(body) {
                Ok(problem)
                    if *status == StatusCode::UNPROCESSABLE_ENTITY && problem.is_of_rows() =>
                {
                    Ok(Answer::Refused(problem.detail))
                }
                Ok(problem) => Err(self.error(path, format!("HTTP {status}: {}", problem.detail))),
                Err(_) => Err(self.error(path, format!("HTTP {status}"))),
            },
            Outcome::NoReply { error } => Err(self.error(path, error.clone())),
        }
    }

    /// What went wrong at a path.
    pub(super) fn error(&self, path: &[&str], reason: String) -> QualityError {
        QualityError::Service {
            url: self.base.join(path, None).into(),
            reason,
        }
    }

    /// Sends the request, and again while the service asks for that.
    async fn send(&self, request: Request) -> Outcome {
        for _ in 0..RETRIES {
            let Some(copy) = request.try_clone() else {
                break;
            };
            let outcome = self.client.send(copy).await;
            let Outcome::Reply {
                status: StatusCode::SERVICE_UNAVAILABLE,
                retry_after: Some(wait),
                ..
            } = outcome
            else {
                return outcome;
            };
            tokio::time::sleep(wait.min(WAIT_MAX)).await;
        }
        self.client.send(request).await
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    use super::super::wire::{Fitted, Rows};
    use super::*;

    const OVERLOADED: (u16, &str) = (503, r#"{"detail":"the compute queue is full"}"#);

    /// Gives each connection after the first, which only looks whether somebody listens, the next
    /// of the answers.
    fn serve(answers: Vec<(u16, &'static str)>) -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let _first = listener.accept().unwrap();
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut line, mut length) = (String::new(), 0);
                while reader.read_line(&mut line).unwrap() > 2 {
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                reader.read_exact(&mut vec![0; length]).unwrap();
                let length = body.len();
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n");
                let rest = format!("retry-after: 0\r\nconnection: close\r\n\r\n{body}");
                stream.write_all((head + &rest).as_bytes()).unwrap();
            }
        });
        Service::reach(&base.parse().unwrap()).unwrap()
    }

    fn fit(answers: Vec<(u16, &'static str)>) -> Result<Answer<Fitted>, String> {
        let service = serve(answers);
        let answer = service.post(&["fit", "a"], None, &Rows::new(&[1], &[2.0]));
        answer.map_err(|error| {
            let text = error.to_string();
            let address = format!("{}/fit/a: ", service.base);
            text.strip_prefix(&address).expect("the address").to_owned()
        })
    }

    #[test]
    fn rows_that_cannot_be_used_are_an_answer() {
        let body = r#"{"detail":"all equal","errors":[{"loc":["body","values"],"msg":""}]}"#;
        let answer = fit(vec![(422, body)]).unwrap();
        assert!(matches!(answer, Answer::Refused(reason) if reason == "all equal"));
    }

    #[test]
    fn anything_else_is_an_error_that_names_the_address() {
        let unknown = r#"{"detail":"no model","errors":[{"loc":["body","model"],"msg":""}]}"#;
        for (answer, reason) in [
            ((422, unknown), "HTTP 422 Unprocessable Entity: no model"),
            ((404, "gone"), "HTTP 404 Not Found"),
            (
                (500, r#"{"detail":"a defect"}"#),
                "HTTP 500 Internal Server Error: a defect",
            ),
        ] {
            assert_eq!(fit(vec![answer]).unwrap_err(), reason);
        }
        let error = fit(vec![(200, r#"{"version":1}"#)]).unwrap_err();
        assert!(error.starts_with("not the reply expected"), "{error}");
        assert!(!fit(vec![]).unwrap_err().is_empty(), "no answer at all");
    }

    #[test]
    fn a_full_service_is_asked_again_a_few_times() {
        let done = (200, r#"{"version":"1","periods":[60]}"#);
        let mut answers = vec![OVERLOADED; RETRIES];
        answers.push(done);
        let Ok(Answer::Done(fitted)) = fit(answers) else {
            panic!("it had room in the end");
        };
        assert_eq!((&*fitted.version, &*fitted.periods), ("1", &[60][..]));
        let error = fit(vec![OVERLOADED; RETRIES + 1]).unwrap_err();
        assert_eq!(
            error,
            "HTTP 503 Service Unavailable: the compute queue is full"
        );
    }
}
