//! A small file system of its own for a server: a tmpfs in a mount namespace, which needs no root.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::binary::{program, serve_arguments};

const CHUNK: usize = 64 * 1024;

/// A mounted volume; gone when dropped, with all that is on it.
pub(super) struct Volume {
    /// Keeps the namespace.
    holder: Child,
    /// Where it is mounted, which only processes in the namespace see.
    mount: tempfile::TempDir,
}

impl Volume {
    pub(super) fn of_mib(mib: u64) -> Self {
        let mount = tempfile::tempdir().expect("a temporary folder can be made");
        let script = format!(
            "mount -t tmpfs -o size={mib}m,mode=755 tmpfs '{}' && echo mounted && exec sleep 3600",
            mount.path().display()
        );
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs unshare: apt-get install util-linux");
        let mut said = String::new();
        let output = holder.stdout.take().expect("it is piped");
        let read = BufReader::new(output).read_line(&mut said);
        read.expect("stdout can be read");
        assert_eq!(
            said, "mounted\n",
            "this test mounts a tmpfs in a user namespace of its own: allow them \
             (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0), and in a container \
             run with --security-opt seccomp=unconfined --cap-add SYS_ADMIN"
        );
        Self { holder, mount }
    }

    /// A command that runs in the namespace.
    fn inside(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--user", "--mount", "--preserve-credentials", "--target"]);
        command.arg(self.holder.id().to_string()).arg(program);
        command
    }

    /// `tidemark serve` with its store on the volume.
    pub(super) fn serve(&self, flags: &[&str]) -> Command {
        let mut command = self.inside(&program());
        serve_arguments(&mut command, &self.mount.path().join("data"), flags);
        command
    }

    /// As [`Volume::serve`] for a server that cannot see how much space is left.
    pub(super) fn serve_blind(&self) -> Command {
        let mut command = self.inside(Path::new("strace"));
        command.args(["-D", "-f", "--seccomp-bpf", "-o", "/dev/null"]);
        command.args(["-e", "trace=statfs", "-e", "inject=statfs:error=ENOSYS"]);
        command.arg(program());
        serve_arguments(&mut command, &self.mount.path().join("data"), &[]);
        command
    }

    /// The volume as processes outside of the namespace see it.
    fn seen(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
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
        let mut command = self.inside(Path::new("mount"));
        command.arg("-o").arg(format!("remount,size={mib}m"));
        let status = command.arg(self.mount.path()).status();
        assert!(status.expect("mount is there").success(), "{command:?}");
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
