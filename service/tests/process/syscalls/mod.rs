//! Tests under Debian's strace and libeatmydata, behind the feature `syscall-tests`.

mod hung_store;
mod sync_order;
mod trace;
