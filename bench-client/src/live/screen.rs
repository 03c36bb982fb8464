//! Where frames are painted. A thread of its own does it: a terminal that is stopped (Ctrl-S) or
//! slow keeps whoever writes to it waiting, and that must not be who collects responses.
//!
//! The block of lines is preceded by a blank one, and between frames the cursor stays there.
//! So whatever else is written to the terminal, a note or `^C`, lands on the blank line and pushes
//! the block down; a resize may wrap lines of the block as it likes, for the next frame clears all
//! below the cursor; and there is no hidden cursor or changed mode that an end by signal would
//! leave behind.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

/// Longest wait for a terminal to take the last frame.
const LAST_FRAME: Duration = Duration::from_secs(1);
const CLEAR: &str = "\r\x1b[J";

/// Whether a block is on the terminal of this process. There is one terminal, whatever number of
/// displays, and who writes a note or handles a second Ctrl-C has no other way to know.
static ON_TERMINAL: AtomicBool = AtomicBool::new(false);

/// Columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// Where a display goes.
pub struct Target(Option<Output>);

struct Output {
    writer: Box<dyn Write + Send>,
    size: Box<dyn Fn() -> Size + Send>,
    colours: bool,
    terminal: bool,
}

/// The painting thread.
pub(super) struct Screen {
    frames: Option<SyncSender<Vec<String>>>,
    over: Receiver<()>,
    size: Box<dyn Fn() -> Size + Send>,
    colours: bool,
    terminal: bool,
}

impl Target {
    /// Standard error, if it is a terminal that can move its cursor; otherwise nowhere. Without
    /// colours if `NO_COLOR` asks for that.
    #[must_use]
    pub fn stderr() -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let capable = set("TERM").is_some_and(|term| term != "dumb");
        if !capable || !io::stderr().is_terminal() {
            return Self::nowhere();
        }
        Self(Some(Output {
            writer: Box::new(io::stderr()),
            size: Box::new(terminal_size),
            colours: set("NO_COLOR").is_none(),
            terminal: true,
        }))
    }

    /// A display that does nothing.
    #[must_use]
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// Anything that takes what a terminal takes, of a size asked for at each frame.
    pub fn writer(
        writer: impl Write + Send + 'static,
        size: impl Fn() -> Size + Send + 'static,
        colours: bool,
    ) -> Self {
        Self(Some(Output {
            writer: Box::new(writer),
            size: Box::new(size),
            colours,
            terminal: false,
        }))
    }
}

impl Screen {
    /// None for a target that is nowhere, or where no thread can be had: a run goes on without its
    /// display.
    pub(super) fn start(target: Target) -> Option<Self> {
        let Output {
            mut writer,
            size,
            colours,
            terminal,
        } = target.0?;
        // One frame waits at most; a terminal that does not keep up misses those in between.
        let (frames, to_paint) = mpsc::sync_channel::<Vec<String>>(1);
        let (done, over) = mpsc::channel();
        let paint = move || {
            for lines in to_paint {
                // A terminal that went away takes the display with it, not the run.
                if writer.write_all(frame(&lines).as_bytes()).is_err() {
                    break;
                }
            }
            let _ = writer.write_all(CLEAR.as_bytes());
            let _ = writer.flush();
            let _ = done.send(());
        };
        let thread = std::thread::Builder::new().name("display".to_owned());
        thread.spawn(paint).ok()?;
        ON_TERMINAL.fetch_or(terminal, Ordering::SeqCst);
        Some(Self {
            frames: Some(frames),
            over,
            size,
            colours,
            terminal,
        })
    }

    /// Columns a line may have.
    pub(super) fn width(&self) -> usize {
        // The last column stays free: a line that ends there makes some terminals wrap.
        usize::from((self.size)().columns).saturating_sub(1)
    }

    pub(super) fn colours(&self) -> bool {
        self.colours
    }

    /// Puts a frame on the terminal, unless that is still busy with the last one.
    pub(super) fn show(&self, mut lines: Vec<String>) {
        // The blank line above, and one to be sure that the block does not scroll.
        lines.truncate(usize::from((self.size)().rows).saturating_sub(2));
        if let Some(frames) = &self.frames {
            let _ = frames.try_send(lines);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.frames = None;
        let _ = self.over.recv_timeout(LAST_FRAME);
        if self.terminal {
            ON_TERMINAL.store(false, Ordering::SeqCst);
        }
    }
}

/// Clears a display off the terminal for something else to be written there; the next frame comes
/// below that. Also for a process that is about to end without dropping its display.
pub fn make_way() {
    if ON_TERMINAL.load(Ordering::SeqCst) {
        let _ = io::stderr().write_all(CLEAR.as_bytes());
    }
}

/// What paints `lines` below the cursor and leaves it where it was. In one piece, and each line
/// over the old one rather than after a clearing, so that nothing flickers.
fn frame(lines: &[String]) -> String {
    let mut frame = String::from("\r\x1b[K");
    for line in lines {
        frame.push_str("\r\n");
        frame.push_str(line);
        frame.push_str("\x1b[K");
    }
    frame.push_str("\x1b[J");
    if !lines.is_empty() {
        let _ = write!(frame, "\x1b[{}A", lines.len());
    }
    frame.push('\r');
    frame
}

fn terminal_size() -> Size {
    let told = told_by_terminal().filter(|size| size.columns > 0 && size.rows > 0);
    told.unwrap_or(Size {
        columns: 80,
        rows: 24,
    })
}

#[cfg(unix)]
fn told_by_terminal() -> Option<Size> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    Some(Size {
        columns: size.ws_col,
        rows: size.ws_row,
    })
}

#[cfg(not(unix))]
fn told_by_terminal() -> Option<Size> {
    None
}
