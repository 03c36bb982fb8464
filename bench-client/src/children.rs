//! Processes that this one started and that must not outlive it, also when a second signal ends it at once.

use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// A process for the operating system's own use, so there is one list for this whole process.
static STARTED: Mutex<Vec<Started>> = Mutex::new(Vec::new());

#[derive(Clone, Copy, PartialEq, Eq)]
struct Started {
    pid: Pid,
    /// Whether those that it started end with it.
    with_group: bool,
}

/// A child that is killed with this process, until this is dropped.
#[derive(Debug)]
pub(crate) struct Watched(Pid);

/// Has `child` killed when this process is ended at once.
pub(crate) fn watch(child: &Child) -> Watched {
    add(child, false)
}

/// As [`watch`], with the group of processes that `child` leads.
pub(crate) fn watch_group(child: &Child) -> Watched {
    add(child, true)
}

fn add(child: &Child, with_group: bool) -> Watched {
    let pid = Pid::from_child(child);
    list().push(Started { pid, with_group });
    Watched(pid)
}

/// Kills all of them. For whoever is about to end this process.
pub(crate) fn kill_all() {
    for started in list().drain(..) {
        let _ = if started.with_group {
            kill_process_group(started.pid, Signal::KILL)
        } else {
            kill_process(started.pid, Signal::KILL)
        };
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        list().retain(|started| started.pid != self.0);
    }
}

fn list() -> MutexGuard<'static, Vec<Started>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}
