//! Tests under Debian's strace and libeatmydata, behind the feature `syscall-tests`.

mod backup_faults;
mod crash_points;
mod fail_stop;
mod failed_writes;
mod full_disk;
mod hung_store;
mod strace;
mod sync_order;
mod trace;
mod trace_files;
mod volume;
