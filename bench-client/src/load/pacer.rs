//! Waiting for a moment, to a few tens of microseconds.
//!
//! The runtime's own timers tick in milliseconds: at 50,000 requests a second that would send
//! fifty at once and call their queueing the server's latency. On Linux a timer of the kernel
//! (`timerfd_create(2)`) wakes the runtime like any socket; elsewhere the runtime's timers are used.

use std::io;
use std::time::{Duration, Instant};

/// No sleep is shorter: what is due within it goes out together, that much late at most. Waking up
/// takes about as long, and spinning instead would take the processor from whoever shares it.
const SHORTEST_SLEEP: Duration = Duration::from_micros(30);

/// Moments in a row that may have passed already before other work gets its turn: a client that is
/// behind has to send, too.
const MOST_PASSED: u32 = 16;

#[derive(Debug)]
pub(super) struct Pacer {
    passed: std::cell::Cell<u32>,
    #[cfg(target_os = "linux")]
    timer: tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>,
}

impl Pacer {
    /// Needs a runtime with I/O.
    #[cfg(target_os = "linux")]
    pub(super) fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe; sound here, where the descriptor is owned and never changes"
        )]
        let timer = tokio::io::unix::AsyncFd::new(timer)?;
        Ok(Self {
            passed: Default::default(),
            timer,
        })
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            passed: Default::default(),
        })
    }

    /// Returns at `moment` or soon after it, never before.
    pub(super) async fn wait_until(&self, moment: Instant) -> io::Result<()> {
        loop {
            match moment.saturating_duration_since(Instant::now()) {
                Duration::ZERO => break,
                time => self.sleep(time.max(SHORTEST_SLEEP)).await?,
            }
            self.passed.set(0);
        }
        self.passed.set(self.passed.get() + 1);
        if self.passed.get() > MOST_PASSED {
            self.passed.set(0);
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    async fn sleep(&self, time: Duration) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let once = Itimerspec {
            it_interval: zero,
            it_value: Timespec {
                tv_sec: time.as_secs().cast_signed(),
                tv_nsec: time.subsec_nanos().into(),
            },
        };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        // The runtime is told of every expiration anew (edge-triggered), so that none has to be
        // read away; the caller looks at the clock anyway.
        self.timer.readable().await?.clear_ready();
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    async fn sleep(&self, time: Duration) -> io::Result<()> {
        tokio::time::sleep(time).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn never_returns_early() {
        let pacer = Pacer::new().unwrap();
        let start = Instant::now();
        for micros in [0, 5, 50, 700, 3_000] {
            let moment = start + Duration::from_micros(micros);
            pacer.wait_until(moment).await.unwrap();
            assert!(Instant::now() >= moment, "{micros} µs");
        }
        let past = start;
        pacer.wait_until(past).await.unwrap();
    }

    /// A schedule that is always behind would otherwise never let a request out.
    #[tokio::test]
    async fn moments_that_have_passed_leave_room_for_other_work() {
        let pacer = Pacer::new().unwrap();
        let other = tokio::spawn(async {});
        let past = Instant::now();
        for _ in 0..=MOST_PASSED {
            assert!(!other.is_finished());
            pacer.wait_until(past).await.unwrap();
        }
        assert!(other.is_finished());
    }
}
