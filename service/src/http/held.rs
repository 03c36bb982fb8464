//! A large reply, and the memory it is counted with until its last byte is on its way.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;

use crate::admission::{Reserved, Ticket};

/// The framework copies what it is given into its own buffer: a piece at a time, and no second reply.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// The rest of a reply.
pub(super) struct Held {
    rest: Bytes,
    _memory: Option<Arc<Reserved>>,
}

impl Held {
    /// Gives back what `ticket` has taken beyond the reply itself.
    pub(super) fn new(reply: Bytes, ticket: &Ticket) -> Self {
        let memory = ticket.memory.clone();
        if let Some(memory) = &memory {
            memory.settle(reply.len());
        }
        Self {
            rest: reply,
            _memory: memory,
        }
    }
}

impl MessageBody for Held {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.rest.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let piece = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(piece);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::{Class, Memory, Tenant};

    #[actix_web::test]
    async fn a_reply_arrives_whole_and_its_memory_goes_with_it() {
        let memory = Memory::new(10_000_000);
        let reply: Bytes = (0..1_000_003_u32).map(|i| (i % 251) as u8).collect();
        let mut ticket = Ticket::new(Class::Predict, Tenant::ALL, None);
        ticket.memory = Some(Arc::new(memory.reserve(5_000_000).unwrap()));
        let held = Held::new(reply.clone(), &ticket);
        drop(ticket);
        assert_eq!(memory.used(), reply.len());
        let sent = actix_web::body::to_bytes(held).await.unwrap();
        assert_eq!(sent, reply);
        assert_eq!(memory.used(), 0);
    }
}
