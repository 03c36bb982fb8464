//! API keys: who may ask for what, kept in a file of digests that `tidemark keys` writes and the server follows.
//!
//! | place | what |
//! |---|---|
//! | `api_key` | the key itself: made once, printed once, never kept |
//! | `scope`, `tenant` | what a key is for |
//! | `file` | the file: read, checked, replaced under a lock |
//! | `ring` | the keys in memory, and the look-up of a key that was sent |
//! | `follow` | the thread that reads the file again when it changes |
//! | `command` | `tidemark keys create`, `list` and `revoke` |
//!
//! No HTTP in here: `http/authenticate` reads headers and words refusals.

mod api_key;
pub mod command;
mod file;
mod follow;
mod ring;
mod scope;
mod tenant;

pub use api_key::ApiKey;
pub use file::{Digest, KeyFile, KeyFileError, KeyRecord};
pub(crate) use follow::follow;
pub use ring::{Identity, KeyRing, NotValid};
pub use scope::{Scope, Scopes};
pub use tenant::TenantName;
