//! A frame of the display as a pure function of the run, so that it can be tested without a
//! terminal.

use super::groups::Figures;
use super::progress::Run;

/// The lines of a frame, none of them longer than `width` columns.
pub(super) fn render(run: &Run, figures: &Figures<'_>, width: usize, colours: bool) -> Vec<String> {
    let mut lines = vec![
        run.title(),
        run.progress(figures.state, figures.stats, width),
    ];
    lines.extend(figures.lines(width));
    let finish = |line: &super::line::Line| line.finish(width, colours);
    lines.iter().map(finish).collect()
}
