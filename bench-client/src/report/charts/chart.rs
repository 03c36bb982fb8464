//! A chart that can stand in a page or alone.

use maud::{Markup, PreEscaped, html};

use super::frame::Frame;
use super::px;

/// A drawing with what is said of it.
#[derive(Debug, Clone)]
pub(in crate::report) struct Chart {
    /// What its file is called, without an ending.
    pub(in crate::report) slug: &'static str,
    /// What it is called.
    pub(in crate::report) title: String,
    note: String,
    summary: String,
    frame: Frame,
    drawing: Markup,
    /// The same for a telephone, of a chart that is too wide for one.
    compact: Option<(Frame, Markup)>,
}

impl Chart {
    /// A chart as wide as a telephone or a third of a page. `summary` is what a screen reader says.
    pub(super) fn narrow(
        (slug, title): (&'static str, &str),
        summary: String,
        (frame, drawing): (Frame, Markup),
    ) -> Self {
        Self {
            slug,
            title: title.to_owned(),
            note: String::new(),
            summary,
            frame,
            drawing,
            compact: None,
        }
    }

    /// A chart as wide as a page, drawn once more for a telephone.
    pub(super) fn wide(
        name: (&'static str, &str),
        summary: String,
        draw: impl Fn(Frame) -> (Frame, Markup),
    ) -> Self {
        let mut chart = Self::narrow(name, summary, draw(Frame::WIDE));
        chart.compact = Some(draw(Frame::LABELLED));
        chart
    }

    /// A chart of nothing as wide as a page, which says so.
    pub(super) fn empty_wide(name: (&'static str, &str), why: &str) -> Self {
        let frame = Frame::of(960.0, 90.0, 0.0);
        let mut chart = Self::empty_in(frame, name, why);
        let narrow = Self::empty(name, why);
        chart.compact = Some((narrow.frame, narrow.drawing));
        chart
    }

    /// A chart of nothing, which says so.
    pub(super) fn empty(name: (&'static str, &str), why: &str) -> Self {
        Self::empty_in(Frame::of(380.0, 120.0, 0.0), name, why)
    }

    fn empty_in(frame: Frame, name: (&'static str, &str), why: &str) -> Self {
        let drawing = html! {
            text.none x=(px(frame.width / 2.0)) y=(px(frame.height / 2.0)) text-anchor="middle" { (why) }
        };
        Self::narrow(name, why.to_owned(), (frame, drawing))
    }

    /// The same with a remark under its title.
    pub(super) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Whether it takes the width of a page.
    pub(in crate::report) fn is_wide(&self) -> bool {
        self.compact.is_some()
    }

    /// For a page.
    pub(in crate::report) fn figure(&self) -> Markup {
        let label = format!("{}: {}", self.title, self.summary);
        let wide = self.compact.is_some();
        // Too wide for a telephone and not drawn for one: it scrolls there.
        let broad = !wide && self.frame.width > 2.0 * Frame::NARROW.width;
        html! {
            figure.wide[wide] {
                figcaption { (self.title) @if !self.note.is_empty() { span.note { (self.note) } } }
                svg.chart.full[wide].broad[broad] role="img" aria-label=(label) viewBox=(view_box(&self.frame)) {
                    (self.drawing)
                }
                @if let Some((frame, drawing)) = &self.compact {
                    svg.chart.compact role="img" aria-label=(label) viewBox=(view_box(frame)) { (drawing) }
                }
            }
        }
    }

    /// A file of its own: a white card with the title on it, and `style` for its looks.
    pub(in crate::report) fn document(&self, style: &str) -> String {
        const MARGIN: f64 = 16.0;
        let head = if self.note.is_empty() { 30.0 } else { 48.0 };
        let width = self.frame.width + 2.0 * MARGIN;
        let height = self.frame.height + head + MARGIN;
        let size = format!("0 0 {} {}", px(width), px(height));
        let svg = html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox=(size) width=(px(width)) height=(px(height))
                font-family="DejaVu Sans, Verdana, sans-serif" {
                title { (self.title) }
                desc { (self.summary) }
                style { (PreEscaped(style)) }
                rect.background x="0" y="0" width=(px(width)) height=(px(height)) {}
                text.heading x=(px(MARGIN)) y="24" { (self.title) }
                @if !self.note.is_empty() { text.note x=(px(MARGIN)) y="43" { (self.note) } }
                g transform={ "translate(" (px(MARGIN)) " " (px(head)) ")" } { (self.drawing) }
            }
        };
        svg.into_string()
    }
}

fn view_box(frame: &Frame) -> String {
    format!("0 0 {} {}", px(frame.width), px(frame.height))
}

#[cfg(test)]
impl Chart {
    /// Coordinates of its shapes that are not within the picture, for tests.
    pub(in crate::report) fn outside(&self) -> Vec<String> {
        let main = (&self.frame, &self.drawing);
        let compact = self
            .compact
            .as_ref()
            .map(|(frame, drawing)| (frame, drawing));
        let mut outside = Vec::new();
        for (frame, drawing) in [main].into_iter().chain(compact) {
            let markup = &drawing.0;
            for (attributes, most) in [
                (["x", "x1", "x2", "cx"], frame.width),
                (["y", "y1", "y2", "cy"], frame.height),
            ] {
                for name in attributes {
                    let start = format!(" {name}=\"");
                    let values = markup.split(&start).skip(1);
                    let values = values.filter_map(|rest| rest.split('"').next());
                    let wrong = |text: &&str| {
                        !text
                            .parse()
                            .is_ok_and(|value: f64| (0.0..=most).contains(&value))
                    };
                    outside.extend(values.filter(wrong).map(|text| format!("{name}={text}")));
                }
            }
        }
        outside
    }
}
