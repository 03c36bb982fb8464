//! Tests under Debian's strace and libeatmydata, behind the feature `syscall-tests`.

mod backup_faults;
mod hung_store;
mod sync_order;
mod trace;
