//! The other side of the socket, and the same without a server.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use super::peer::Peer;
use super::protocol::{self, Command, Data, Frames};
use super::{MakeBackup, SOCKET};

const FOR_EVER: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A backup as it arrives.
pub struct Backup {
    data: Data<UnixStream>,
    /// Whether a server makes it.
    pub is_served: bool,
    maker: Option<JoinHandle<()>>,
}

impl Read for Backup {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.data.read(buffer)
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        let Some(maker) = self.maker.take() else {
            return;
        };
        let _ = self.data.source().shutdown(std::net::Shutdown::Both);
        if maker.join().is_err() {
            tracing::error!("the thread that reads the store panicked");
        }
    }
}

/// Asks the server of `data_dir` for a backup; `None` if there is none.
///
/// # Errors
/// When the socket is there and cannot be used.
pub fn request_backup(data_dir: &Path) -> io::Result<Option<Backup>> {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    let mut stream = match UnixStream::connect(data_dir.join(SOCKET)) {
        Ok(stream) => stream,
        // Left over by a server that was killed, or a path too long for any server's socket.
        Err(error)
            if matches!(
                error.kind(),
                ConnectionRefused | NotFound | io::ErrorKind::InvalidInput
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    protocol::ask(&mut stream, Command::Backup)?;
    Ok(Some(Backup {
        data: Data::new(stream),
        is_served: true,
        maker: None,
    }))
}

/// Makes a backup in this process, on a thread of its own.
///
/// # Errors
/// When there is no thread or no pair of sockets.
pub(crate) fn make_backup(make: Box<MakeBackup>) -> io::Result<Backup> {
    let (ours, theirs) = UnixStream::pair()?;
    let maker = std::thread::Builder::new()
        .name("tidemark-backup".into())
        .spawn(move || {
            let is_stopping = AtomicBool::new(false);
            // Nobody else waits for this process to let go of the store.
            let mut peer = Peer::new(&theirs, &is_stopping).reads_within(FOR_EVER);
            let mut frames = Frames::new(&mut peer);
            // Whoever does not read the end of it has gone.
            let _ = match make(&mut frames) {
                Ok(_) => frames.end(),
                Err(error) => frames.fail(&error.to_string()),
            };
        })?;
    Ok(Backup {
        data: Data::new(ours),
        is_served: false,
        maker: Some(maker),
    })
}
