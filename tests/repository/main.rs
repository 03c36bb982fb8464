//! Tests of the files around the code: what a container may do, and that documents name tests that exist. They know
//! nothing of the server, so this binary is made without it.

mod container;
mod documents;
