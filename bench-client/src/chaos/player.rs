//! Does what is on a schedule when its time has come, on a thread of its own.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::runtime::Runtime;

use super::{Act, Action, Subject};
use crate::children::{self, Watched};

/// What became of an act so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    /// When it was done.
    pub(super) did: Option<Duration>,
    /// How it ended.
    pub(super) result: Option<String>,
}

/// What commands are told.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) base_url: String,
    pub(super) out: String,
}

/// A schedule that is being played.
pub(super) struct Player {
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    /// Dropped to end it.
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Player {
    /// Starts playing `acts`, which are in the order of their times, from `start` on.
    pub(super) fn start(
        acts: Vec<Act>,
        subject: Arc<Subject>,
        told: Told,
        start: Instant,
    ) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let outcomes = Arc::new(Mutex::new(vec![Outcome::default(); acts.len()]));
        let (over, ended) = channel();
        let playing = Playing {
            subject,
            told,
            start,
            runtime,
            commands: Vec::new(),
            outcomes: Arc::clone(&outcomes),
        };
        let thread = std::thread::Builder::new()
            .name("chaos".to_owned())
            .spawn(move || playing.play(&acts, &ended))?;
        Ok(Self {
            outcomes,
            over: Some(over),
            thread: Some(thread),
        })
    }

    /// Ends it, with all commands that still run, and tells what was done.
    pub(super) fn end(mut self) -> Vec<Outcome> {
        self.stop();
        std::mem::take(&mut *lock(&self.outcomes))
    }

    fn stop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Playing {
    subject: Arc<Subject>,
    told: Told,
    start: Instant,
    runtime: Runtime,
    commands: Vec<Running>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
}

/// A command that runs.
struct Running {
    /// The number of its act.
    act: usize,
    child: Child,
    _watched: Watched,
}

/// Between two looks at the commands that run.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Playing {
    fn play(mut self, acts: &[Act], ended: &Receiver<()>) {
        let mut next = 0;
        loop {
            let due = acts.get(next).map(|act| self.start + act.at);
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            let wait = match (left, self.commands.is_empty()) {
                (Some(left), true) => left,
                (Some(left), false) => left.min(LOOK_EVERY),
                (None, true) => Duration::MAX,
                (None, false) => LOOK_EVERY,
            };
            match ended.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
            self.look();
            if due.is_some_and(|due| due <= Instant::now()) {
                self.act(next, &acts[next].action);
                next += 1;
            }
        }
        self.kill_commands();
    }

    fn act(&mut self, i: usize, action: &Action) {
        lock(&self.outcomes)[i].did = Some(self.start.elapsed());
        let result = match action {
            Action::Signal(signal) => self.subject.signal(*signal),
            Action::Restart => self.runtime.block_on(self.subject.restart()),
            Action::Command(command) => match self.command(command) {
                Ok(child) => {
                    let _watched = children::watch_group(&child);
                    let act = i;
                    return self.commands.push(Running {
                        act,
                        child,
                        _watched,
                    });
                }
                Err(error) => Err(error.into()),
            },
        };
        self.ended(
            i,
            result.map_or_else(|error| error.to_string(), |()| "ok".to_owned()),
        );
    }

    fn command(&self, command: &str) -> std::io::Result<Child> {
        use std::os::unix::process::CommandExt as _;
        let pid = self
            .subject
            .pid()
            .map_or_else(String::new, |pid| pid.to_string());
        let command = command
            .replace("{pid}", &pid)
            .replace("{base_url}", &self.told.base_url)
            .replace("{out}", &self.told.out);
        Command::new("sh")
            .args(["-c", &command])
            .stdin(Stdio::null())
            // Its words must not end up among the figures.
            .stdout(Stdio::null())
            // A group of its own, so that what it starts ends with it.
            .process_group(0)
            .spawn()
    }

    /// Notes which commands have ended.
    fn look(&mut self) {
        for mut running in std::mem::take(&mut self.commands) {
            match running.child.try_wait() {
                Ok(None) => self.commands.push(running),
                Ok(Some(status)) => self.ended(running.act, status.to_string()),
                Err(error) => self.ended(running.act, error.to_string()),
            }
        }
    }

    fn kill_commands(&mut self) {
        self.look();
        for mut running in std::mem::take(&mut self.commands) {
            let _ = kill_process_group(Pid::from_child(&running.child), Signal::KILL);
            let _ = running.child.wait();
            let result = "still ran when the run was over, and was killed";
            self.ended(running.act, result.to_owned());
        }
    }

    fn ended(&self, act: usize, result: String) {
        lock(&self.outcomes)[act].result = Some(result);
    }
}

fn lock(outcomes: &Mutex<Vec<Outcome>>) -> MutexGuard<'_, Vec<Outcome>> {
    outcomes.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(acts: &[(u64, &str)], lasting: Duration) -> Vec<Outcome> {
        let acts = acts.iter().map(|(ms, action)| Act {
            at: Duration::from_millis(*ms),
            action: action.parse().unwrap(),
        });
        let told = Told {
            base_url: "http://x".to_owned(),
            out: "/tmp".to_owned(),
        };
        let subject = Arc::new(Subject::Unknown);
        let player = Player::start(acts.collect(), subject, told, Instant::now()).unwrap();
        std::thread::sleep(lasting);
        player.end()
    }

    #[test]
    fn acts_are_done_in_their_time_and_say_how_they_ended() {
        let command = "test {base_url} = http://x && exit 7";
        let acts = [
            (20, command),
            (30, "sigterm"),
            (40, "restart"),
            (60_000, "true"),
        ];
        let done = play(&acts, Duration::from_secs(2));
        assert!(
            done[0]
                .did
                .is_some_and(|did| did >= Duration::from_millis(20))
        );
        assert_eq!(done[0].result.as_deref(), Some("exit status: 7"));
        for unknown in &done[1..3] {
            let result = unknown.result.as_deref().unwrap_or_default();
            assert!(result.contains("--server-bin"), "{result}");
        }
        assert!(done[3].did.is_none() && done[3].result.is_none());
    }

    #[test]
    fn a_command_that_goes_on_holds_up_nothing_and_does_not_outlive_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let long = format!("sleep 600 & echo $! > {}; wait", file.display());
        let done = play(&[(0, &long), (50, "true")], Duration::from_secs(2));
        assert!(
            done[0]
                .result
                .as_deref()
                .is_some_and(|result| result.contains("killed"))
        );
        assert_eq!(done[1].result.as_deref(), Some("exit status: 0"));
        let pid: i32 = std::fs::read_to_string(file)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let pid = Pid::from_raw(pid).unwrap();
        // An orphan is waited for by whoever adopts it, which takes a moment.
        let gone = |()| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            status.is_empty() || status.contains(") Z")
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while !gone(()) {
            assert!(Instant::now() < deadline, "{pid} still runs");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
