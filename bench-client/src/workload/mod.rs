//! What a run sends: whole HTTP/1.1 requests, made ahead of their timed span.

use bytes::Bytes;

use crate::load::response::Op;

/// A request, ready to be written to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// What it asks for.
    pub op: Op,
    /// Head and body, byte for byte.
    pub bytes: Bytes,
    /// Points in its body.
    pub points: u32,
}
