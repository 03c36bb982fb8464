//! Charts as files of their own: SVG with its styles in it, and PNG drawn from that with a font that
//! is part of the program, so that it needs nothing of the machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use super::charts::Chart;
use super::page::{CHARTS, PALETTE};
use super::{ReportError, atomic};

const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans-subset.ttf");
const FAMILY: &str = "DejaVu Sans";

/// Pixels a unit of a chart, so that text is sharp on a slide.
const SCALE: f32 = 2.0;

/// What a chart is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// Scalable, with text as text.
    Svg,
    /// Pixels.
    Png,
}

impl Picture {
    pub(super) const fn ending(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }
}

/// Writes every chart into `dir` and gives the files' paths, in the order of the page.
pub(super) fn write(
    dir: &Path,
    charts: &[Chart],
    picture: Picture,
) -> Result<Vec<PathBuf>, ReportError> {
    std::fs::create_dir_all(dir).map_err(ReportError::at(dir))?;
    let one = |chart: &Chart| {
        let path = dir.join(format!("{}.{}", chart.slug, picture.ending()));
        let content = match picture {
            Picture::Svg => svg(chart).into_bytes(),
            Picture::Png => png(&svg(chart))
                .map_err(std::io::Error::other)
                .map_err(ReportError::at(&path))?,
        };
        atomic::write(&path, &content).map_err(ReportError::at(&path))?;
        Ok(path)
    };
    charts.iter().map(one).collect()
}

/// A chart as an SVG document in the colours of the light theme.
pub(super) fn svg(chart: &Chart) -> String {
    chart.document(&style())
}

/// An SVG document as PNG.
fn png(svg: &str) -> Result<Vec<u8>, String> {
    let tree = parse(svg)?;
    let size = tree.size().to_int_size();
    let pixels = |units: u32| (units as f32 * SCALE).ceil() as u32;
    let mut pixmap = Pixmap::new(pixels(size.width()), pixels(size.height()))
        .ok_or_else(|| format!("a picture of {size:?} is none"))?;
    let scale = Transform::from_scale(SCALE, SCALE);
    resvg::render(&tree, scale, &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|e| e.to_string())
}

fn parse(svg: &str) -> Result<Tree, String> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    // Whatever else a chart asks for, this is the font there is.
    fonts.set_sans_serif_family(FAMILY);
    let options = Options {
        font_family: FAMILY.to_owned(),
        fontdb: Arc::new(fonts),
        ..Options::default()
    };
    Tree::from_str(svg, &options).map_err(|e| e.to_string())
}

/// The charts' style sheet with the light theme's colours in place of their names: a picture that
/// stands alone has no theme, and programs that draw SVG know no variables.
fn style() -> String {
    // The page says what the accent is; alone, a chart has that of a run.
    let mut style = CHARTS.replace("var(--accent", "var(--run");
    for (name, value) in light_theme() {
        style = style.replace(&format!("var({name})"), value);
    }
    style
}

/// Names and values of the palette's first block.
fn light_theme() -> impl Iterator<Item = (&'static str, &'static str)> {
    let block = PALETTE.split_once('{').map_or("", |(_, rest)| rest);
    let block = block.split_once('}').map_or(block, |(block, _)| block);
    let pairs = block.split(';').filter_map(|pair| pair.split_once(':'));
    pairs
        .map(|(name, value)| (name.trim(), value.trim()))
        .filter(|(name, _)| name.starts_with("--"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::run::{charts, sample};

    #[test]
    fn the_style_has_colours_for_names() {
        let style = style();
        assert!(!style.contains("var("), "{style}");
        assert!(
            style.contains("svg .line.q-p99 { stroke: #c75300; }"),
            "{style}"
        );
    }

    #[test]
    fn every_chart_of_every_run_is_well_formed_alone() {
        for run in [
            sample::run(),
            sample::of(0),
            sample::of(1),
            sample::only_failures(9),
        ] {
            for chart in charts(&run) {
                let svg = svg(&chart);
                let tree = parse(&svg).unwrap_or_else(|e| panic!("{}: {e}\n{svg}", chart.slug));
                assert!(tree.has_text_nodes() || tree.root().has_children());
                for outside in ["href", "url(", "@import", "<image", "<script"] {
                    assert!(!svg.contains(outside), "{}: {outside}", chart.slug);
                }
                assert_eq!(svg.matches("://").count(), 1, "the namespace alone");
            }
        }
    }

    /// Pixels that are not the white of the card.
    fn ink(png: &[u8]) -> usize {
        let picture = Pixmap::decode_png(png).unwrap();
        let white = |p: &&resvg::tiny_skia::PremultipliedColorU8| {
            (p.red(), p.green(), p.blue(), p.alpha()) != (255, 255, 255, 255)
        };
        picture.pixels().iter().filter(white).count()
    }

    /// No font of the machine is ever loaded: text that shows comes from the program's own.
    #[test]
    fn text_needs_no_font_of_the_machine() {
        let text = |said: &str| {
            format!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" width="200" height="40" font-family="Nowhere, sans-serif">
                <rect width="200" height="40" fill="white"/><text x="5" y="25" font-size="16">{said}</text></svg>"#
            )
        };
        let blank = ink(&png(&text("")).unwrap());
        assert_eq!(blank, 0);
        for said in ["p99", "µ", "–", "×", "÷", "≤", "∞", "−", "…", "’"] {
            assert!(ink(&png(&text(said)).unwrap()) > 10, "{said}");
        }
    }

    #[test]
    fn titles_axes_and_notes_are_drawn() {
        let chart = charts(&sample::run()).swap_remove(0);
        let whole = svg(&chart);
        let without_text = whole.replace("svg text { ", "svg text { display: none; ");
        assert_ne!(whole, without_text);
        let (whole, without_text) = (
            ink(&png(&whole).unwrap()),
            ink(&png(&without_text).unwrap()),
        );
        assert!(whole > without_text + 2_000, "{whole} and {without_text}");
    }

    #[test]
    fn files_are_named_after_charts() {
        let dir = tempfile::tempdir().unwrap();
        let charts = charts(&sample::of(30));
        let to = dir.path().join("new/folder");
        let paths = write(&to, &charts, Picture::Svg).unwrap();
        assert_eq!(paths.len(), charts.len());
        assert!(paths[0].ends_with("latency_over_time.svg"));
        assert_eq!(
            std::fs::read_dir(&to).unwrap().count(),
            charts.len(),
            "no two share a name"
        );
    }
}
