//! The process that is done something to: one that runs already, or one that the run starts.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, kill_process};

use super::Signal;
use crate::scenario::server::{Server, ServerCommand};

/// The server's process.
pub enum Subject {
    /// Nobody has said which it is.
    Unknown,
    /// It runs already.
    Running(Pid),
    /// It is started by the run and ends with it.
    Own(Box<Own>),
}

/// A server that the run started, and starts again when it is asked to.
pub struct Own {
    command: ServerCommand,
    addr: SocketAddr,
    data_dir: PathBuf,
    log: PathBuf,
    server: Mutex<Option<Server>>,
}

/// Why nothing could be done to a server.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// Nobody has said which process it is.
    #[error(
        "it is not known which process the server is: --server-pid tells, or --server-bin starts one"
    )]
    Unknown,
    /// A server that somebody else started cannot be started again.
    #[error("a restart needs a server that the run started: --server-bin")]
    NotOurs,
    /// It does not run.
    #[error("the server does not run")]
    Ended,
    /// The system refuses.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Subject {
    /// A process that runs already.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn running(pid: u32) -> io::Result<Self> {
        let raw = i32::try_from(pid).ok().filter(|pid| *pid > 0);
        let pid = raw
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        rustix::process::test_kill_process(pid)?;
        Ok(Self::Running(pid))
    }

    /// Starts `command` on `addr` over a folder of the run's folder `out`, and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be started or is not ready in time.
    pub async fn start(command: ServerCommand, addr: SocketAddr, out: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(out)?;
        let own = Own {
            command,
            addr,
            data_dir: out.join("server"),
            log: out.join("server.log"),
            server: Mutex::default(),
        };
        own.start_again().await?;
        Ok(Self::Own(Box::new(own)))
    }

    /// The process that is the server now.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        match self {
            Self::Unknown => None,
            Self::Running(pid) => Some(*pid),
            Self::Own(own) => own.pid(),
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), SubjectError> {
        let pid = match (self, self.pid()) {
            (Self::Unknown, _) => return Err(SubjectError::Unknown),
            (_, None) => return Err(SubjectError::Ended),
            (_, Some(pid)) => pid,
        };
        let signal = match signal {
            Signal::Term => rustix::process::Signal::TERM,
            Signal::Int => rustix::process::Signal::INT,
            Signal::Kill => rustix::process::Signal::KILL,
            Signal::Stop => rustix::process::Signal::STOP,
            Signal::Cont => rustix::process::Signal::CONT,
        };
        kill_process(pid, signal).map_err(|error| SubjectError::System(error.into()))
    }

    pub(super) async fn restart(&self) -> Result<(), SubjectError> {
        match self {
            Self::Unknown => Err(SubjectError::Unknown),
            Self::Running(_) => Err(SubjectError::NotOurs),
            Self::Own(own) => Ok(own.start_again().await?),
        }
    }
}

impl Own {
    fn pid(&self) -> Option<Pid> {
        let id = self.server().as_ref().map(Server::pid)?;
        i32::try_from(id).ok().and_then(Pid::from_raw)
    }

    async fn start_again(&self) -> io::Result<()> {
        let before = self.server().take();
        if let Some(before) = before {
            // One that has ended already takes no signal and is over at once.
            let _ = before.terminate();
            before.wait().await?;
        }
        let started = Server::start_at(&self.command, self.addr, &self.data_dir, &self.log).await?;
        *self.server() = Some(started);
        Ok(())
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
