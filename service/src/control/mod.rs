//! What the operator of the machine asks of a running server: a socket in its data folder.
//!
//! The store can be open in one process only, so a backup of a running server is the server's to
//! make. It is no route of HTTP: whoever may read one series must not read those of all tenants. Who
//! may write into the socket is its owner (mode 0600) and root. Threads of their own serve it, which
//! the server does not wait for when it stops.

mod client;
mod peer;
mod protocol;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

pub(crate) use client::make_backup;
pub use client::{Backup, request_backup};

use crate::store::{BackupError, Summary};
use peer::Peer;
use protocol::{Command, Frames};

/// The socket's name in the data folder.
pub const SOCKET: &str = "control.sock";
/// Peers at a time.
const PEERS: usize = 8;
/// How long a stop waits for the threads: they look whether it has come this often.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const ENDS_WITHIN: Duration = Duration::from_secs(1);
/// A peer that reads nothing for so long holds up the removal of old tables for nothing.
const READS_WITHIN: Duration = Duration::from_secs(60);
/// The thread of a backup gives way to those of requests.
const NICENESS: i32 = 10;

/// What makes a backup.
pub(crate) type MakeBackup =
    dyn Fn(&mut dyn Write) -> Result<Summary, BackupError> + Send + Sync + 'static;

/// What the threads of one socket share.
struct Served {
    make_backup: Box<MakeBackup>,
    is_stopping: AtomicBool,
    is_backing_up: AtomicBool,
    n_peers: AtomicUsize,
}

/// A socket that is served until it is dropped.
pub(crate) struct Control {
    path: PathBuf,
    /// Which file is ours: another server may have replaced it.
    inode: u64,
    served: Arc<Served>,
    /// Ends when no thread holds a sender any more.
    threads: Receiver<()>,
}

impl Control {
    /// Serves the socket of `data_dir`, whose store this process has open: one that is there already is
    /// left over.
    ///
    /// # Errors
    /// When there can be no socket.
    pub(crate) fn start(data_dir: &Path, make_backup: Box<MakeBackup>) -> io::Result<Self> {
        let path = data_dir.join(SOCKET);
        let listener = listen(&path)?;
        let inode = path.symlink_metadata()?.ino();
        let served = Arc::new(Served {
            make_backup,
            is_stopping: AtomicBool::new(false),
            is_backing_up: AtomicBool::new(false),
            n_peers: AtomicUsize::new(0),
        });
        let (alive, threads) = channel();
        let shared = Arc::clone(&served);
        std::thread::Builder::new()
            .name("tidemark-control".into())
            .spawn(move || accept(&listener, &shared, &alive))?;
        Ok(Self {
            path,
            inode,
            served,
            threads,
        })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.served.is_stopping.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(UnixStream::connect(&self.path));
        let is_ours = self
            .path
            .symlink_metadata()
            .is_ok_and(|found| found.ino() == self.inode);
        if is_ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, "the control socket cannot be removed");
        }
        // Nothing is ever sent: this waits for the last sender to go.
        if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) =
            self.threads.recv_timeout(ENDS_WITHIN)
        {
            tracing::warn!("a backup under way ends with the process");
        }
    }
}

/// Listens on `path` in the place of a socket that is left over, for its owner alone: nobody can
/// connect between the making of the file and the change of its mode, since nobody listens yet.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let address = SocketAddrUnix::new(path)?;
    match path.symlink_metadata() {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::other("another file has its name")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::bind(&socket, &address)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    rustix::net::listen(&socket, 16)?;
    Ok(UnixListener::from(socket))
}

fn accept(listener: &UnixListener, served: &Arc<Served>, alive: &Sender<()>) {
    loop {
        let accepted = listener.accept();
        if served.is_stopping.load(Ordering::SeqCst) {
            return;
        }
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection to the control socket is not accepted");
                std::thread::sleep(LOOK_EVERY);
                continue;
            }
        };
        let here = Here::of(served);
        let alive = alive.clone();
        let serve = move || {
            if here.n_peers <= PEERS {
                here.served.serve(&stream);
            }
            drop(alive);
        };
        let thread = std::thread::Builder::new().name("tidemark-backup".into());
        if let Err(error) = thread.spawn(serve) {
            tracing::warn!(%error, "the control socket has no thread for a connection");
        }
    }
}

impl Served {
    fn serve(&self, stream: &UnixStream) {
        let mut peer = Peer::new(stream, &self.is_stopping);
        let command = match protocol::asked(&mut peer) {
            Ok(command) => command,
            // The connection that wakes `accept`, or a peer that said nothing.
            Err(_) => return,
        };
        let frames = Frames::new(&mut peer);
        let told = match command {
            Ok(Command::Backup) => self.back_up(frames),
            Err(refusal) => frames.fail(&refusal),
        };
        if let Err(error) = told {
            tracing::info!(%error, "a peer of the control socket has gone");
        }
    }

    fn back_up(&self, mut frames: Frames<&mut Peer<'_>>) -> io::Result<()> {
        if self.is_backing_up.swap(true, Ordering::SeqCst) {
            return frames.fail("another backup is under way");
        }
        let under_way = Ends(&self.is_backing_up);
        if let Err(error) = rustix::process::nice(NICENESS) {
            tracing::warn!(%error, "a backup keeps its priority");
        }
        let begun = std::time::Instant::now();
        // An assertion inside of the database fails over damaged bytes: its peer has to be told.
        let make = AssertUnwindSafe(|| (self.make_backup)(&mut frames));
        let made = catch_unwind(make).unwrap_or(Err(BackupError::Panicked));
        // Before its peer hears of it, who may ask for the next one at once.
        drop(under_way);
        match made {
            Ok(summary) => {
                tracing::info!(
                    series = summary.series,
                    versions = summary.versions(),
                    bytes = summary.bytes(),
                    seconds = begun.elapsed().as_secs_f64(),
                    "backed up"
                );
                frames.end()
            }
            Err(error) => {
                tracing::warn!(%error, "a backup failed");
                frames.fail(&error.to_string())
            }
        }
    }
}

/// A peer that is counted for as long as this lives.
struct Here {
    served: Arc<Served>,
    n_peers: usize,
}

impl Here {
    fn of(served: &Arc<Served>) -> Self {
        Self {
            n_peers: served.n_peers.fetch_add(1, Ordering::SeqCst) + 1,
            served: Arc::clone(served),
        }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.served.n_peers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Resets a flag, also when a thread panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
