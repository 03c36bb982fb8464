//! A small file system of its own for a server: a tmpfs in a mount namespace, which needs no root.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::{program, serve_arguments};
use crate::namespace::Namespace;

const CHUNK: usize = 64 * 1024;

/// A mounted volume; gone when dropped, with all that is on it.
pub(super) struct Volume {
    namespace: Namespace,
    /// Where it is mounted, which only processes in the namespace see.
    mount: tempfile::TempDir,
}

impl Volume {
    pub(super) fn of_mib(mib: u64) -> Self {
        let mount = tempfile::tempdir().expect("a temporary folder can be made");
        let set_up = format!(
            "mount -t tmpfs -o size={mib}m,mode=755 tmpfs '{}'",
            mount.path().display()
        );
        Self {
            namespace: Namespace::of("--mount", &set_up),
            mount,
        }
    }

    /// `tidemark serve` with its store on the volume.
    pub(super) fn serve(&self, flags: &[&str]) -> Command {
        let mut command = self.namespace.inside(&program());
        serve_arguments(&mut command, &self.mount.path().join("data"), flags);
        command
    }

    /// As [`Volume::serve`] for a server that cannot see how much space is left.
    pub(super) fn serve_blind(&self) -> Command {
        let mut command = self.namespace.inside(Path::new("strace"));
        command.args(["-D", "-f", "--seccomp-bpf", "-o", "/dev/null"]);
        command.args(["-e", "trace=statfs", "-e", "inject=statfs:error=ENOSYS"]);
        command.arg(program());
        serve_arguments(&mut command, &self.mount.path().join("data"), &[]);
        command
    }

    /// The volume as processes outside of the namespace see it.
    fn seen(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.namespace.holder()));
        let relative = self.mount.path().strip_prefix("/");
        root.join(relative.expect("a temporary folder has an absolute path"))
    }

    pub(super) fn free_bytes(&self) -> u64 {
        let of = rustix::fs::statvfs(self.seen()).expect("the volume is mounted");
        of.f_bavail * of.f_frsize
    }

    /// Another program's file that leaves at most `left` bytes free.
    pub(super) fn fill(&self, left: u64) {
        let path = self.seen().join("filler");
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .expect("a file can be made");
        let zeros = [0; CHUNK];
        while self.free_bytes() > left {
            let most = usize::try_from(self.free_bytes() - left).unwrap_or(CHUNK);
            match file.write(&zeros[..most.min(CHUNK)]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Gives the space of [`Volume::fill`] back.
    pub(super) fn clear(&self) {
        std::fs::remove_file(self.seen().join("filler")).expect("it is there");
    }

    /// Makes the volume larger, as an operator may.
    pub(super) fn grow_to_mib(&self, mib: u64) {
        let mut command = self.namespace.inside(Path::new("mount"));
        command.arg("-o").arg(format!("remount,size={mib}m"));
        let status = command.arg(self.mount.path()).status();
        assert!(status.expect("mount is there").success(), "{command:?}");
    }
}
