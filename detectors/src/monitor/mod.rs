//! Whether a model still alarms as often as it was asked to: counts, intervals and a drift verdict.
//!
//! A [`Monitor`] is fed with the p-values of points as they are scored. It keeps counts in bins and the
//! capital of a few bets (`evidence.rs` has the formula, the sources and the proof of the bound), less than
//! 400 bytes however many points there were. It has no clock and takes no notice of values or times.
//!
//! **What the bound is a bound of.** If every p-value is valid given all before it, up to a
//! tolerance, `P(p_n ≤ u | p_1 … p_{n−1}) ≤ 1.25 u` for every u, then the probability that a verdict other than
//! [`Verdict::Ok`] is ever given is at most 1 %, over the whole life of the monitor. Points that are exchangeable with
//! the training points have such p-values but for the error of the fit. What breaks it: a
//! drift, but also anomalies in a row, a season the model does not know, the same points scored
//! again, or a fit to a handful of points whose scale came out too small. All of these make alarms
//! come more often than asked; the verdict says that, and not why.

mod evidence;
mod histogram;
mod interval;

pub use histogram::{BINS, EDGES};
pub use interval::{CONFIDENCE, RateInterval};

use std::f64::consts::LN_10;
use std::fmt;

use crate::params::{ALARM_RATE_MAX, ALARM_RATE_MIN};
use crate::stats::elementary::{ln, within};
use evidence::Evidence;

/// Evidence from which a model drifts: false with probability 1 % at most.
const DRIFTING_FROM: f64 = 1e2;
/// Evidence from which a model may be stale: false with probability 0.01 % at most.
const STALE_FROM: f64 = 1e4;
/// Evidence below which an episode is over: less than nothing speaks against the model.
const EPISODE_FROM: f64 = 1.0;
/// Alarms of an episode from which it is no mere incident.
const STALE_ALARMS: u64 = 30;
/// Alarm rates that every report looks at beside the one asked for.
const RATES: [f64; 3] = [1e-2, 1e-3, 1e-4];

/// What the points since a while ago say of a model. The order is that of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Small p-values come about as often as they should, or more rarely.
    Ok,
    /// They come more often: evidence of 100, kept until the evidence is below 1.
    Drifting,
    /// Evidence of 10,000 while, in the same episode, there were at least 30 alarms and these are at
    /// least twice as many as asked for; kept until the evidence is below 1.
    Stale,
}

impl Verdict {
    /// `"ok"`, `"drifting"` or `"stale"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Drifting => "drifting",
            Self::Stale => "stale",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The running state about one model; of fixed size.
#[derive(Debug, Clone, PartialEq)]
pub struct Monitor {
    alarm_rate: f64,
    n_scored: u64,
    n_alarms: u64,
    /// Points whose p-value was in the bin.
    counts: [u64; BINS],
    evidence: Evidence,
    evidence_max: f64,
    episode: Episode,
    verdict: Verdict,
}

/// The points since the evidence last rose above 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Episode {
    n_scored: u64,
    n_alarms: u64,
    evidence_max: f64,
}

impl Monitor {
    /// A monitor that has seen nothing, for a model that alarms at p < `alarm_rate`.
    #[must_use]
    pub fn new(alarm_rate: f64) -> Self {
        Self {
            alarm_rate: within(alarm_rate, ALARM_RATE_MIN, ALARM_RATE_MAX),
            n_scored: 0,
            n_alarms: 0,
            counts: [0; BINS],
            evidence: Evidence::NONE,
            evidence_max: 1.0,
            episode: Episode::default(),
            verdict: Verdict::Ok,
        }
    }

    /// Takes notice of one scored point. NaN, which no model gives, counts as 1.
    #[inline]
    pub fn observe(&mut self, p_value: f64) {
        let p = within(p_value, 0.0, 1.0);
        let p = if p_value.is_nan() { 1.0 } else { p };
        let bin = histogram::bin_of(p);
        let n_alarms = u64::from(p < self.alarm_rate);
        self.counts[bin] = self.counts[bin].saturating_add(1);
        self.evidence.observe(bin);
        self.judge(1, n_alarms);
    }

    /// Takes notice of `n` points of which only the verdicts are known: they count as points and
    /// alarms and as evidence, and not in the histogram.
    pub fn observe_alarms(&mut self, n: u64, n_alarms: u64) {
        let n_alarms = n_alarms.min(n);
        self.evidence.observe_alarms(n, n_alarms, self.alarm_rate);
        self.judge(n, n_alarms);
    }

    #[inline(always)]
    fn judge(&mut self, n: u64, n_alarms: u64) {
        self.n_scored = self.n_scored.saturating_add(n);
        self.n_alarms = self.n_alarms.saturating_add(n_alarms);
        let evidence = self.evidence.total();
        if evidence < EPISODE_FROM {
            self.episode = Episode::default();
            self.verdict = Verdict::Ok;
            return;
        }
        self.episode.n_scored = self.episode.n_scored.saturating_add(n);
        self.episode.n_alarms = self.episode.n_alarms.saturating_add(n_alarms);
        self.episode.evidence_max = self.episode.evidence_max.max(evidence);
        self.evidence_max = self.evidence_max.max(evidence);
        if evidence >= DRIFTING_FROM && self.verdict == Verdict::Ok {
            self.verdict = Verdict::Drifting;
        }
        if evidence >= STALE_FROM && self.episode.is_off(self.alarm_rate) {
            self.verdict = Verdict::Stale;
        }
    }

    /// The verdict as of the last point.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// All there is to say. Some 100 µs of arithmetic for the intervals.
    #[must_use]
    pub fn report(&self) -> Report {
        let n_p_values = histogram::below(&self.counts, 1.0);
        let at = |rate| RateReport::new(rate, histogram::below(&self.counts, rate), n_p_values);
        Report {
            alarms: RateReport::new(self.alarm_rate, self.n_alarms, self.n_scored),
            n_p_values,
            counts: self.counts,
            rates: RATES.map(at),
            drift: Drift {
                verdict: self.verdict,
                log10_evidence: log10(self.evidence.total()),
                log10_evidence_max: log10(self.evidence_max),
                false_alarm_probability_bound: 1.0 / self.episode.evidence_max.max(1.0),
                episode_n_scored: self.episode.n_scored,
                episode_n_alarms: self.episode.n_alarms,
            },
            under_alarming: UnderAlarming::of(self.alarm_rate, self.n_alarms, self.n_scored),
        }
    }
}

impl Episode {
    /// Whether the alarms are at least twice as many as asked for; for a rate above 1/3, of which there
    /// is no double, whether at least half of the points that should be quiet alarm.
    #[inline]
    fn is_off(&self, alarm_rate: f64) -> bool {
        let rate = (2.0 * alarm_rate).min(0.5 * (1.0 + alarm_rate));
        self.n_alarms >= STALE_ALARMS && self.n_alarms as f64 >= rate * self.n_scored as f64
    }
}

/// What a monitor has to say; every number is finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The alarms against the alarm rate asked for, over all points.
    pub alarms: RateReport,
    /// Points in the histogram: all but those of which only the verdict was known.
    pub n_p_values: u64,
    /// Of these, points in each bin `[EDGES[i], EDGES[i + 1])`.
    pub counts: [u64; BINS],
    /// p-values below 0.01, 0.001 and 0.0001, of those in the histogram.
    pub rates: [RateReport; 3],
    /// Whether small p-values come too often.
    pub drift: Drift,
    /// Whether alarms come too rarely.
    pub under_alarming: UnderAlarming,
}

/// How often p-values were below a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateReport {
    /// The rate asked for.
    pub requested: f64,
    /// Points below it.
    pub n_alarms: u64,
    /// Points in all.
    pub n: u64,
    /// `n_alarms / n`; `None` when there were none.
    pub observed: Option<f64>,
    /// Exact interval for the rate behind what was observed.
    pub interval: RateInterval,
    /// `observed / requested`.
    pub ratio: Option<f64>,
}

impl RateReport {
    fn new(requested: f64, n_alarms: u64, n: u64) -> Self {
        let observed = share(n_alarms, n);
        Self {
            requested,
            n_alarms,
            n,
            observed,
            interval: RateInterval::clopper_pearson(n_alarms, n),
            ratio: observed.map(|observed| observed / requested),
        }
    }
}

/// The drift verdict and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// The verdict.
    pub verdict: Verdict,
    /// log₁₀ of the evidence now: 0 when nothing was seen, falling slowly while all is well.
    pub log10_evidence: f64,
    /// log₁₀ of the highest evidence since the monitor began.
    pub log10_evidence_max: f64,
    /// Probability, at most, that the evidence about a calibrated model ever gets as high as it got
    /// in this episode; 1 while there is none.
    pub false_alarm_probability_bound: f64,
    /// Points since the evidence last rose above 1.
    pub episode_n_scored: u64,
    /// Alarms among them.
    pub episode_n_alarms: u64,
}

impl Drift {
    /// Share of alarms in the episode; `None` when there is none.
    #[must_use]
    pub fn episode_observed(&self) -> Option<f64> {
        share(self.episode_n_alarms, self.episode_n_scored)
    }
}

/// Whether alarms come less than half as often as asked for, over all points.
///
/// The likelihood of the alarms when they come at 0, 1/4 or 1/2 of half the rate, against half the
/// rate: as a test martingale a bound at every moment, like [`Drift`]. It is no part of the
/// verdict: p-values may be larger than they must.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnderAlarming {
    /// Whether the evidence is at least 100.
    pub detected: bool,
    /// log₁₀ of the evidence, at least −300.
    pub log10_evidence: f64,
    /// Probability, at most, of evidence as high at any time if alarms come at half the rate or more.
    pub false_alarm_probability_bound: f64,
}

impl UnderAlarming {
    fn of(alarm_rate: f64, n_alarms: u64, n: u64) -> Self {
        let half = 0.5 * alarm_rate;
        let (alarms, others) = (n_alarms as f64, (n - n_alarms.min(n)) as f64);
        let ln_bet = |share: f64| {
            let on_alarms = if share > 0.0 {
                alarms * libm::log(share)
            } else if n_alarms == 0 {
                0.0
            } else {
                f64::NEG_INFINITY
            };
            on_alarms + others * (libm::log1p(-share * half) - libm::log1p(-half))
        };
        let ln_bets = [0.0, 0.25, 0.5].map(ln_bet);
        let highest = ln_bets.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let mean: f64 = ln_bets
            .iter()
            .map(|bet| libm::exp(bet - highest))
            .sum::<f64>()
            / 3.0;
        let log10_evidence = within((highest + libm::log(mean)) / LN_10, -300.0, 300.0);
        Self {
            detected: log10_evidence >= 2.0,
            log10_evidence,
            false_alarm_probability_bound: libm::pow(10.0, -log10_evidence.max(0.0)),
        }
    }
}

fn share(k: u64, n: u64) -> Option<f64> {
    (n > 0).then(|| k as f64 / n as f64)
}

fn log10(evidence: f64) -> f64 {
    ln(evidence.max(f64::MIN_POSITIVE)) / LN_10
}

#[cfg(test)]
mod tests;
