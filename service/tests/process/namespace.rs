//! Namespaces of their own for tests that need another file system or network, which needs no root.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A process that keeps namespaces; they are gone with it.
pub(crate) struct Namespace {
    holder: Child,
    /// As `unshare` and `nsenter` name them.
    kinds: [&'static str; 2],
}

impl Namespace {
    /// A user namespace with another one of this `kind`, in which `set_up` was run.
    pub(crate) fn of(kind: &'static str, set_up: &str) -> Self {
        let kinds = ["--user", kind];
        let mut holder = Command::new("unshare")
            .args(kinds)
            .args(["--map-root-user", "sh", "-c"])
            .arg(format!("{set_up} && echo ready && exec sleep 3600"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs unshare: apt-get install util-linux");
        let mut said = String::new();
        let output = holder.stdout.take().expect("it is piped");
        let read = BufReader::new(output).read_line(&mut said);
        read.expect("stdout can be read");
        assert_eq!(
            said, "ready\n",
            "this test runs `{set_up}` in a user namespace of its own: allow them \
             (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0), and in a container \
             run with --security-opt seccomp=unconfined --cap-add SYS_ADMIN"
        );
        Self { holder, kinds }
    }

    /// A command that runs in it.
    pub(crate) fn inside(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(self.kinds)
            .args(["--preserve-credentials", "--target"])
            .arg(self.holder.id().to_string())
            .arg(program);
        command
    }

    /// The process that keeps it.
    pub(crate) fn holder(&self) -> u32 {
        self.holder.id()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
