//! The live display of a run: a block of figures on the terminal, painted anew every half second.
//!
//! Each frame is a pure function of what the run is doing ([`LiveState`]) and of the figures so far
//! ([`RunStats`]); nothing is estimated here that the results do not have, except the throughput of
//! the last two seconds.

mod groups;
mod line;
mod progress;
mod recent;
mod render;
mod screen;
mod show;
pub mod state;
#[cfg(test)]
mod tests;
mod text;

use std::time::Duration;

use crate::results::config::RunConfig;
use crate::tally::stats::RunStats;

pub use screen::{Size, Target, make_way};
pub use show::{Show, ShowError};
pub use state::{LiveState, Phase};

use groups::Figures;
use progress::Run;
use recent::Recent;
use screen::Screen;

/// Time between two frames.
pub const REDRAW_EVERY: Duration = Duration::from_millis(500);

/// The display of one run. Dropping it takes it off the terminal.
pub struct Display {
    shown: Option<Shown>,
}

struct Shown {
    screen: Screen,
    run: Run,
    shows: Vec<Show>,
    recent: Recent,
}

impl Display {
    /// A display of the run that `config` describes, with a line for the `shows` of the user.
    #[must_use]
    pub fn new(config: &RunConfig, shows: &[Show], target: Target) -> Self {
        let shown = Screen::start(target).map(|screen| Shown {
            screen,
            run: Run::of(config),
            shows: shows.to_vec(),
            recent: Recent::default(),
        });
        Self { shown }
    }

    /// Whether anybody sees it. If not, there is no need to compute figures for it.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.shown.is_some()
    }

    /// Paints a frame; meant to be called every [`REDRAW_EVERY`]. Never waits for the terminal.
    pub fn tick(&mut self, state: &LiveState, stats: &RunStats) {
        if let Some(shown) = &mut self.shown {
            shown.tick(state, stats);
        }
    }

    /// Takes the display off the terminal; waits for that no longer than a second.
    pub fn finish(self) {}
}

impl Shown {
    fn tick(&mut self, state: &LiveState, stats: &RunStats) {
        if matches!(state.phase, Phase::Running | Phase::Finishing) {
            self.recent.note(state.elapsed, stats.requests);
        }
        let figures = Figures {
            state,
            stats,
            recent: &self.recent,
            shows: &self.shows,
        };
        let (width, colours) = (self.screen.width(), self.screen.colours());
        let lines = render::render(&self.run, &figures, width, colours);
        self.screen.show(lines);
    }
}
