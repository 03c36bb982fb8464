//! The groups of figures: a name, and cells that flow into as many lines as they need.

use super::line::{Line, Style};
use super::recent::Recent;
use super::show::Show;
use super::state::LiveState;
use super::text;
use crate::load::response::OutcomeClass;
use crate::tally::stats::{LatencyStats, RunStats};

const UNKNOWN: &str = "—";
/// Columns of the groups' names.
const NAMES: usize = 12;
/// Below this many columns labels are shorter, and so are numbers.
const NARROW: usize = 60;
/// A client that is busier than this measures itself.
const BUSY: f64 = 0.85;

/// A figure.
struct Cell {
    label: String,
    value: String,
    style: Style,
    /// Columns kept free for the value, so that cells do not move when it grows.
    room: usize,
}

/// What the cells are made of.
pub(super) struct Figures<'a> {
    pub(super) state: &'a LiveState,
    pub(super) stats: &'a RunStats,
    pub(super) recent: &'a Recent,
    pub(super) shows: &'a [Show],
}

impl Figures<'_> {
    /// Every group in lines of at most `width` columns.
    pub(super) fn lines(&self, width: usize) -> Vec<Line> {
        let narrow = width < NARROW;
        let latency = &self.stats.ok;
        let groups = [
            ("Throughput", self.throughput(narrow)),
            ("First", quantiles(&latency.first, &[0.5, 0.95, 0.99])),
            ("Last", {
                let mut cells = quantiles(&latency.last, &[0.5, 0.95, 0.99]);
                cells.push(time("max", latency.last.max_ns));
                cells
            }),
            ("Points", self.points(narrow)),
            ("Errors", self.errors(narrow)),
            ("Server", quantiles(&latency.server, &[0.5, 0.99])),
            ("Client", self.client(narrow)),
            ("Shown", self.shown()),
        ];
        let mut lines = Vec::new();
        for (name, cells) in groups {
            flow(name, &cells, width, &mut lines);
        }
        lines
    }

    /// Without any outcome there is nothing to say, which is not the same as zero.
    fn any(&self) -> bool {
        self.stats.requests > 0
    }

    fn throughput(&self, narrow: bool) -> Vec<Cell> {
        let room = if narrow { 6 } else { 8 };
        let now = self.recent.per_s().filter(|_| self.any());
        vec![
            rate("now", now, room),
            rate("overall", self.stats.completed_rps, room),
            rate(
                if narrow { "good" } else { "goodput" },
                self.stats.goodput_rps,
                room,
            ),
            rate("offered", self.stats.send_window.offered_rps, room),
        ]
    }

    fn points(&self, narrow: bool) -> Vec<Cell> {
        let room = if narrow { 6 } else { 10 };
        vec![
            rate("in", self.stats.points_in_per_s, room),
            rate("out", self.stats.points_out_per_s, room),
        ]
    }

    fn errors(&self, narrow: bool) -> Vec<Cell> {
        let room = if narrow { 4 } else { 5 };
        let class = |label: &str, class| {
            let n = self.stats.count(class);
            let mut cell = counted(label, self.any().then_some(n), room);
            if n > 0 {
                cell.style = Style::Failure;
            }
            cell
        };
        let share = self.stats.error_rate();
        let mut overall = cell("rate", share.map(text::percent), 7);
        if share.is_some_and(|share| share > 0.0) {
            overall.style = Style::Failure;
        }
        vec![
            overall,
            class("shed", OutcomeClass::Shed),
            class("refused", OutcomeClass::Refused),
            class("failed", OutcomeClass::Failed),
            class(
                if narrow { "timeout" } else { "timed out" },
                OutcomeClass::TimedOut,
            ),
            class("transport", OutcomeClass::Transport),
        ]
    }

    fn client(&self, narrow: bool) -> Vec<Cell> {
        let room = if narrow { 4 } else { 6 };
        let state = self.state;
        let named = |wide: &'static str, short: &'static str| if narrow { short } else { wide };
        let mut cpu = cell("cpu", state.cpu_share.map(text::percent), 6);
        if state.cpu_share.is_some_and(|share| share > BUSY) {
            cpu.style = Style::Warning;
        }
        let mut late = counted(named("late sends", "late"), Some(state.late_sends), room);
        if state.late_sends > 0 {
            late.style = Style::Warning;
        }
        vec![
            cpu,
            cell("rss", state.rss_bytes.map(text::bytes), 8),
            late,
            counted(named("connections", "conns"), Some(state.connections), room),
            counted("in flight", Some(state.in_flight), room),
        ]
    }

    fn shown(&self) -> Vec<Cell> {
        let cell = |show: &Show| cell(&text::harmless(&show.label), show.value(self.stats), 9);
        self.shows.iter().map(cell).collect()
    }
}

fn flow(name: &str, cells: &[Cell], width: usize, lines: &mut Vec<Line>) {
    let gap = if width < NARROW { 1 } else { 2 };
    let indent = if width < NARROW { NAMES - 1 } else { NAMES };
    let mut line = Line::default();
    line.push(name, Style::Group);
    line.pad_to(indent);
    for cell in cells {
        let begun = line.columns() > indent;
        let needed = cell.columns() + if begun { gap } else { 0 };
        if begun && line.columns() + needed > width {
            lines.push(std::mem::take(&mut line));
            line.pad_to(indent);
        } else if begun {
            line.pad_to(line.columns() + gap);
        }
        let end = line.columns() + cell.columns();
        line.push(cell.label.as_str(), Style::Label);
        line.push(" ", Style::Plain);
        line.push(cell.value.as_str(), cell.style);
        line.pad_to(end);
    }
    if !cells.is_empty() {
        lines.push(line);
    }
}

impl Cell {
    fn columns(&self) -> usize {
        text::columns(&self.label) + 1 + self.room.max(text::columns(&self.value))
    }
}

fn cell(label: &str, value: Option<String>, room: usize) -> Cell {
    let style = if value.is_some() {
        Style::Plain
    } else {
        Style::Label
    };
    Cell {
        label: label.to_owned(),
        value: value.unwrap_or_else(|| UNKNOWN.to_owned()),
        style,
        room,
    }
}

fn rate(label: &str, per_s: Option<f64>, room: usize) -> Cell {
    cell(label, per_s.map(|per_s| text::rate(per_s, room)), room)
}

fn counted(label: &str, n: Option<u64>, room: usize) -> Cell {
    cell(label, n.map(|n| text::count(n, room)), room)
}

fn time(label: &str, ns: Option<u64>) -> Cell {
    cell(label, ns.map(text::duration), 7)
}

fn quantiles(latency: &LatencyStats, which: &[f64]) -> Vec<Cell> {
    let quantile = |q: &f64| {
        let label = format!("p{:.0}", q * 100.0);
        match latency.at(*q) {
            Some(quantile) if !quantile.enough => {
                let mut few = cell(&label, Some(text::TOO_FEW.to_owned()), 7);
                few.style = Style::Label;
                few
            }
            quantile => time(&label, quantile.map(|quantile| quantile.value_ns)),
        }
    };
    which.iter().map(quantile).collect()
}
