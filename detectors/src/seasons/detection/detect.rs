use super::autocorrelation::{self, Autocorrelation};
use super::fourier::Fourier;
use super::grid::{Grid, center};
use super::profile::{self, Profile};
use super::spectrum::Spectrum;

/// A season found in a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Period {
    /// In ticks of the timestamps, > 0.
    pub(crate) ticks: i64,
    /// Share of the variance about the running mean over one period that it explains, 0 to 1.
    pub(crate) strength: f64,
}

/// Most seasons told.
const PERIODS_MAX: usize = 3;

/// Fewest points in which to look.
const POINTS_MIN: usize = 24;

/// Most cells of a grid.
const CELLS_MAX: usize = 32_768;

/// Shortest period in cells.
const SHORTEST: f64 = 3.0;

/// Periods that a series must hold of a season.
pub(crate) const CYCLES_MIN: f64 = 2.25;

const CANDIDATES: usize = 6;

pub(crate) fn detect(timestamps: &[i64], values: &[f64], ticks_per_second: i64) -> Vec<Period> {
    let n = timestamps.len().min(values.len());
    if n < POINTS_MIN {
        return Vec::new();
    }
    let recent = n.saturating_sub(CELLS_MAX);
    let mut found = seasons(&timestamps[recent..n], &values[recent..n], 0.0);
    if recent > 0 {
        let span = timestamps[n - 1].saturating_sub(timestamps[recent]) as f64;
        let longer = seasons(timestamps, values, span / 8.0);
        found.retain(|season| season.ticks <= span / 8.0);
        found.extend(longer);
    }
    found.sort_by(|a, b| b.strength.total_cmp(&a.strength));
    found.truncate(PERIODS_MAX);
    found.sort_by(|a, b| a.ticks.total_cmp(&b.ticks));
    found
        .iter()
        .map(|season| Period {
            ticks: snapped(season, ticks_per_second),
            strength: season.strength.clamp(0.0, 1.0),
        })
        .collect()
}

struct Season {
    /// Period in ticks.
    ticks: f64,
    strength: f64,
    /// Half a bin of the spectrum: by how much the period may be off.
    resolution: f64,
}

fn snapped(season: &Season, ticks_per_second: i64) -> i64 {
    const SECONDS: [i64; 14] = [
        60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 28_800, 43_200, 86_400,
        604_800,
    ];
    SECONDS
        .iter()
        .map(|seconds| seconds.saturating_mul(ticks_per_second.max(1)))
        .find(|&ticks| (ticks as f64 - season.ticks).abs() <= season.resolution)
        .unwrap_or_else(|| (season.ticks.round() as i64).max(1))
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    period: f64,
    explained: f64,
}

fn seasons(timestamps: &[i64], values: &[f64], shortest: f64) -> Vec<Season> {
    let Some(original) = Grid::new(timestamps, values, CELLS_MAX) else {
        return Vec::new();
    };
    let n = original.len();
    if n < POINTS_MIN {
        return Vec::new();
    }
    let mut fourier = Fourier::new(2 * n);
    let pairs = autocorrelation::pairs(&mut fourier, &original);
    let mut grid = Grid {
        step: original.step,
        values: original.values.clone(),
        weights: original.weights.clone(),
    };
    let mut found: Vec<Candidate> = Vec::new();
    let variance: f64 = original.values.iter().map(|v| v * v).sum();
    let shortest = (shortest / original.step as f64).max(SHORTEST);
    for _ in 0..4 {
        let spectrum = Spectrum::new(&mut fourier, &grid);
        let correlation = Autocorrelation::new(&mut fourier, &spectrum, &pairs);
        let passed = candidates(&grid, &spectrum, &correlation, shortest, &found, variance);
        if std::env::var("DBG").is_ok() {
            eprintln!("round {passed:?}");
        }
        let most = passed.iter().map(|c| c.explained).fold(0.0, f64::max);
        let Some(&best) = passed
            .iter()
            .filter(|c| c.explained >= 0.85 * most)
            .min_by(|a, b| a.period.total_cmp(&b.period))
        else {
            break;
        };
        found.push(best);
        // periods of their own within the best
        for c in &passed {
            if is_own(&grid, c.period, best.period) {
                found.push(*c);
            }
        }
        for i in (0..1).chain(1..1) {
            let _ = i;
        }
        profile::remove(&mut grid, best.period);
        center(&mut grid.values, &grid.weights);
    }
    // prune
    found.sort_by(|a, b| b.period.total_cmp(&a.period));
    let mut kept: Vec<Candidate> = Vec::new();
    for c in found {
        if kept.iter().all(|k| {
            (!is_multiple(k.period / c.period, n as f64 / k.period)
                || is_own(&original, c.period, k.period))
                && (k.period / c.period - 1.0).abs() > 0.1
        }) {
            kept.push(c);
        }
    }
    kept.iter()
        .map(|c| {
            let y = profile::high_passed(&original, c.period);
            let p = Profile::of(&original, &y, c.period);
            Season {
                ticks: c.period * original.step as f64,
                strength: p.explained / p.total.max(f64::MIN_POSITIVE),
                resolution: 0.5 * c.period * c.period / n as f64 * original.step as f64,
            }
        })
        .collect()
}

fn is_multiple(ratio: f64, cycles: f64) -> bool {
    let nearest = ratio.round();
    nearest >= 2.0 && (ratio - nearest).abs() <= (0.5 * ratio / cycles).max(0.02 * ratio).min(0.25)
}

/// Whether a period within a longer one is there in its own right: not 1/2 or 1/3, and it explains
/// most of what happens within the longer one at its pace.
fn is_own(grid: &Grid, short: f64, long: f64) -> bool {
    let ratio = long / short;
    if ratio < 3.5 || !is_multiple(ratio, grid.len() as f64 / long) {
        return false;
    }
    let y = profile::high_passed(grid, short);
    let a = Profile::of(grid, &y, short).explained;
    let b = Profile::of(grid, &y, long).explained;
    a >= 0.5 * b
}

fn candidates(
    grid: &Grid,
    spectrum: &Spectrum,
    correlation: &Autocorrelation,
    shortest: f64,
    known: &[Candidate],
    variance: f64,
) -> Vec<Candidate> {
    let n = grid.len() as f64;
    let longest = n / CYCLES_MIN;
    let mut periods = correlation.peaks(shortest.ceil() as usize, longest as usize, CANDIDATES);
    periods.extend(spectrum.peaks(shortest, longest, CANDIDATES));
    let mut i = 0;
    let mut passed: Vec<Candidate> = Vec::new();
    let mut seen: Vec<f64> = Vec::new();
    let dbg = std::env::var("DBG").is_ok();
    while i < periods.len() {
        let start = periods[i];
        i += 1;
        let frequency = spectrum.refined(start);
        let period = 1.0 / frequency;
        if !(period >= shortest && period <= longest)
            || seen
                .iter()
                .chain(known.iter().map(|k| &k.period))
                .any(|s| (s / period - 1.0).abs() < (0.5 * period / n).max(1e-3))
        {
            continue;
        }
        seen.push(period);
        let ln_p = spectrum.ln_p(frequency);
        let ok = correlation.confirms(period, 0.5 * period * period / n);
        if !dbg && (ln_p > -6.9 || !ok) {
            continue;
        }
        let y = profile::high_passed(grid, period);
        let p = Profile::of(grid, &y, period);
        if dbg {
            eprintln!(
                "cand {start:.2} -> {period:.3} ln_p {ln_p:.1} acf {ok} share {:.3} agree {:.2} cos {:.3}",
                p.explained / p.total,
                p.agreeing,
                p.cosine
            );
        }
        if ln_p > -6.9 || !ok {
            continue;
        }
        if p.explained > 0.03 * variance && p.cosine > 0.05 && p.agreeing >= 0.6 {
            if let Some(near) = passed
                .iter_mut()
                .find(|near| (near.period / period - 1.0).abs() < 0.1)
            {
                if p.explained > near.explained {
                    *near = Candidate {
                        period,
                        explained: p.explained,
                    };
                }
                continue;
            }
            passed.push(Candidate {
                period,
                explained: p.explained,
            });
            if i <= 2 * CANDIDATES + 2 {
                periods.extend([period / 7.0, period / 24.0]);
            }
        }
    }
    passed
}
