//! A body that is read while it is answered: only as much of it as is answered next.
//!
//! Whoever asks gets on as long as lines come and answers are taken. What has no end is a line: it has to come in the
//! time that a body may take, and silence may not last for longer either.

use std::rc::Rc;
use std::time::Instant;

use actix_web::web::Payload;
use api::Rejection;
use bytes::Bytes;
use memchr::memchr;

use super::lines::{Batch, Splitter};
use crate::http::body::{self, Awaited, Raw};
use crate::http::coding::{Coding, Inflated};

/// Bytes that are answered at once, a few hundred lines: what others of the same thread or pool wait for.
pub(super) const BATCH_BYTES: usize = 32 * 1024;
/// A longer line is no point.
pub(super) const LINE_MAX_BYTES: usize = 64 * 1024;

/// What came.
pub(super) enum Came {
    /// Whole lines.
    Lines(Batch),
    /// The end.
    End,
    /// An end that is none.
    Broken(Rejection),
}

/// The lines of a body.
pub(super) struct Incoming {
    source: Inflated<Raw>,
    awaited: Rc<Awaited>,
    /// Lines that are answered at once.
    batch_lines: usize,
    /// What came and is not split yet.
    rest: Bytes,
    splitter: Splitter,
    end: Option<Result<(), Rejection>>,
}

impl Incoming {
    /// Of `payload`, so many lines at once: short ones have answers that are longer than they.
    pub(super) fn new(payload: Payload, coding: Option<Coding>, batch_lines: usize) -> Self {
        let awaited = Rc::new(Awaited::since(Instant::now()));
        let source = Inflated::new(Raw::new(payload, &awaited), coding);
        Self {
            source,
            awaited,
            batch_lines,
            rest: Bytes::new(),
            splitter: Splitter::new(LINE_MAX_BYTES),
            end: None,
        }
    }

    /// The next lines: those that are there, or the first that come.
    pub(super) async fn next(&mut self) -> Came {
        // The time of who waits for us is not counted.
        self.awaited.again();
        let mut batch = Batch::default();
        while self.end.is_none() && self.has_room(&batch) {
            if self.rest.is_empty() {
                let came = if batch.n_lines() == 0 {
                    Some(self.wait().await)
                } else {
                    self.source.now().await.map(Option::transpose)
                };
                match came {
                    None => break,
                    Some(Ok(Some(chunk))) => self.rest = chunk,
                    Some(Ok(None)) => {
                        self.splitter.finish(&mut batch);
                        self.end = Some(Ok(()));
                    }
                    Some(Err(rejection)) => self.end = Some(Err(rejection)),
                }
            }
            let to = self.rest.len().min(BATCH_BYTES - batch.bytes());
            let chunk = self.rest.slice(..to);
            if memchr(b'\n', &chunk).is_some() {
                self.awaited.again();
            }
            let unread = self.splitter.push(chunk, self.batch_lines, &mut batch);
            let _ = self.rest.split_to(to - unread.len());
        }
        match &self.end {
            _ if batch.n_lines() > 0 => Came::Lines(batch),
            Some(Err(rejection)) => Came::Broken(rejection.clone()),
            Some(Ok(())) | None => Came::End,
        }
    }

    fn has_room(&self, batch: &Batch) -> bool {
        batch.bytes() < BATCH_BYTES && batch.n_lines() < self.batch_lines
    }

    async fn wait(&mut self) -> Result<Option<Bytes>, Rejection> {
        let awaited = Rc::clone(&self.awaited);
        body::paced(self.source.next(), &awaited, None)
            .await?
            .transpose()
    }
}
