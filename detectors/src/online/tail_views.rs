//! `tail_views`: the model that learns from every point it scores.
//!
//! Each of the [`views`](super::views) of a point becomes a surprise, −log10 of its long-memory
//! [tail](super::tails) probability, and a record novelty. Their means by family are added up with
//! equal weights; the sum, averaged with its own echo over the last few points, is the evidence:
//!
//! ```text
//! S = Σ_families mean(surprise) + 4 · mean(record)
//! E ← E + (S − E)/3,   evidence = (S + E)/2
//! p = P(evidence at least this | nothing is wrong)   by the null of this series
//! ```
//!
//! and the [`null`](super::null) of that is calibrated once more, because views depend on each other.
//! The [`control`](super::control) holds the long-run alarm rate.
//!
//! Everything is judged before it is learnt, from the state and the point alone: no clock, no length
//! of a request. What differs from long-memory detectors by residuals of one model (Lavin & Ahmad,
//! *Evaluating real-time anomaly detection algorithms: the Numenta anomaly benchmark*, ICMLA 2015):
//! many weak views instead of one strong model, since which model is strong depends on the series.

use super::alerts::Alerts;
use super::constants::CONSTANTS;
use super::control::Controller;
use super::null::Null;
use super::tails::Tails;
use super::views::{ERROR, FAMILIES, FAMILY, Memory, VIEWS};
use crate::auto::Choice;
use crate::models::history::History;
use crate::models::verdict::{Band, Rate, finite};
use crate::params::TimeUnit;
use crate::score::{Score, Status};
use crate::seasons::Clock;
use crate::stats::Tail;

/// Points before the first verdict: the shortest views have warmed up, and the mean of 24.
pub(crate) const WARM_UP: u64 = CONSTANTS.warm_up as u64 + 28;

/// The state: about 4 KiB.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TailViews {
    pub(crate) rate: Rate,
    pub(crate) time_unit: TimeUnit,
    pub(crate) choice: Choice,
    pub(crate) clock: Clock,
    /// Points learnt.
    pub(crate) learnt: u64,
    /// Ticks of the first and the last of them.
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// The first value, and the first deviation from it: 0 while there was none.
    pub(crate) center: f64,
    pub(crate) unit: f64,
    pub(crate) memory: Memory,
    pub(crate) tails: [Tails; VIEWS],
    /// E.
    pub(crate) echo: f64,
    pub(crate) null: Null,
    pub(crate) control: Controller,
    pub(crate) alerts: Alerts,
}

/// What a state is made for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setup {
    pub(crate) alarm_rate: f64,
    pub(crate) time_unit: TimeUnit,
    pub(crate) clock: Clock,
    pub(crate) choice: Choice,
    /// Seasons of the series in ticks, if any are known; shortest first.
    pub(crate) periods: Vec<i64>,
}

/// What is left of seasons that were found in a history when the day and the week are looked at anyway:
/// those that do not keep to them.
pub(crate) fn beside_the_calendar(periods: Vec<i64>, time_unit: TimeUnit) -> Vec<i64> {
    let week = 604_800 * time_unit.ticks_per_second();
    if periods.iter().all(|period| week % period == 0) {
        Vec::new()
    } else {
        periods
    }
}

/// A point as it was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seen {
    pub(crate) score: Score,
    /// Whether this is the first alarm of an event, or one much stronger.
    pub(crate) alert: bool,
    /// Evidence of each family before it is echoed.
    pub(crate) families: [f64; FAMILIES],
}

impl TailViews {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            rate: Rate::new(setup.alarm_rate),
            time_unit: setup.time_unit,
            choice: setup.choice,
            clock: setup.clock,
            learnt: 0,
            from: 0,
            to: 0,
            center: 0.0,
            unit: 0.0,
            memory: Memory::new(cycles(&setup.periods, setup.time_unit)),
            tails: [Tails::NEW; VIEWS],
            echo: 0.0,
            null: Null::new(),
            control: Controller::default(),
            alerts: Alerts::default(),
        }
    }

    /// Whether a point at this tick can be learnt: it is later than all before.
    pub(crate) fn is_next(&self, tick: i64) -> bool {
        self.learnt == 0 || tick > self.to
    }

    /// Scores a point, then learns it. A value that is not finite is an anomaly and nothing to learn.
    pub(crate) fn observe(&mut self, tick: i64, value: f64) -> Seen {
        let predicted = self.memory.predicted();
        let band = self.band_about(predicted);
        if !value.is_finite() {
            return Seen {
                score: band.verdict(value, Tail::LEAST, self.rate, self.status()),
                alert: true,
                families: [0.0; FAMILIES],
            };
        }
        let status = self.status();
        let standardized = self.standardized_first(tick, value);
        let views = self
            .memory
            .take(self.clock.local(tick), standardized, predicted);
        let families = self.surprise(&views);
        let sum: f64 = families.iter().sum();
        self.echo += (sum - self.echo) / CONSTANTS.echo_points;
        let evidence = 0.5 * (sum + self.echo);
        let mut tail = Tail::of_p(1.0);
        if self.learnt >= WARM_UP {
            let raw = self.null.tail(evidence);
            self.null.learn(evidence, raw.p);
            tail = self.control.adjust(raw);
        }
        let score = self.verdict(band, value, tail, status);
        if status == Status::Ok {
            self.control.learn(score.anomaly, self.rate.alarm_rate);
        }
        self.learnt = self.learnt.saturating_add(1);
        self.to = tick;
        Seen {
            score,
            alert: self.alerts.next(score.anomaly_score, 1.0),
            families,
        }
    }

    /// Scores a point and learns nothing.
    pub(crate) fn judge(&self, tick: i64, value: f64) -> Seen {
        self.clone().observe(tick, value)
    }

    /// Scores points one after the other as [`observe`](Self::observe) would; what is not later than
    /// the point before is judged and not learnt.
    pub(crate) fn judge_columns(&self, ticks: &[i64], values: &[f64], mut each: impl FnMut(Score)) {
        let mut state = self.clone();
        for (tick, value) in ticks.iter().zip(values) {
            each(state.learn(*tick, *value).score);
        }
    }

    /// Scores a point and learns it, unless it cannot be learnt.
    pub(crate) fn learn(&mut self, tick: i64, value: f64) -> Seen {
        if self.is_next(tick) && value.is_finite() {
            self.observe(tick, value)
        } else {
            self.judge(tick, value)
        }
    }

    /// The same model before it had learnt anything.
    pub(crate) fn unlearnt(&self) -> Self {
        Self::new(Setup {
            alarm_rate: self.rate.alarm_rate,
            time_unit: self.time_unit,
            clock: self.clock.clone(),
            choice: self.choice,
            periods: self.periods().to_vec(),
        })
    }

    /// Standard deviation of the autoregression's input, in the unit of the series.
    pub(crate) fn usual_error(&self) -> f64 {
        let (low, high) = self.tails[ERROR].bounds(0.16).unwrap_or((-1.0, 1.0));
        finite(0.5 * (high - low) * self.unit).max(f64::MIN_POSITIVE)
    }

    /// Evidence by family; every view then learns its value.
    fn surprise(&mut self, views: &[Option<f64>; VIEWS]) -> [f64; FAMILIES] {
        let mut families = [0.0; FAMILIES];
        for (family, sum) in families.iter_mut().enumerate() {
            let members = FAMILY[family]..FAMILY[family + 1];
            let share = 1.0 / members.len() as f64;
            for index in members {
                let Some(value) = views[index] else { continue };
                let tails = &mut self.tails[index];
                let novelty = tails.judge(value);
                tails.learn(value);
                *sum += share * (novelty.surprise + CONSTANTS.record_weight * novelty.record);
            }
        }
        families
    }

    fn verdict(&self, mut band: Band, value: f64, tail: Tail, status: Status) -> Score {
        band.agree(value, tail.p < self.rate.alarm_rate);
        let mut score = band.verdict(value, tail, self.rate, status);
        score.tail_extrapolated = score.p_value * (self.null.n as f64 + 1.0) < 1.0;
        score
    }

    pub(crate) fn status(&self) -> Status {
        if self.learnt < WARM_UP {
            Status::WarmingUp
        } else {
            Status::Ok
        }
    }

    /// Where the next value is expected, and where the autoregression's errors alone would leave it.
    pub(crate) fn band(&self) -> Band {
        self.band_about(self.memory.predicted())
    }

    fn band_about(&self, predicted: Option<f64>) -> Band {
        let expected = predicted.unwrap_or_else(|| self.memory.last());
        let side = 0.5 * self.rate.alarm_rate;
        let (lower, upper) = match self.tails[ERROR].bounds(side) {
            Some((low, high)) if self.unit > 0.0 => (
                self.restored(expected + low.min(0.0)),
                self.restored(expected + high.max(0.0)),
            ),
            _ => (-f64::MAX, f64::MAX),
        };
        let expected = self.restored(expected);
        Band {
            expected,
            lower: lower.min(expected),
            upper: upper.max(expected),
        }
    }

    fn standardized_first(&mut self, tick: i64, value: f64) -> f64 {
        if self.learnt == 0 {
            (self.from, self.center) = (tick, value);
        }
        if self.unit == 0.0 && value != self.center {
            let deviation = (value * 0.5 - self.center * 0.5).abs() * 2.0;
            self.unit = deviation.clamp(f64::MIN_POSITIVE, f64::MAX);
        }
        if self.unit == 0.0 {
            return 0.0;
        }
        let deviation = value - self.center;
        let standardized = if deviation.is_finite() {
            deviation / self.unit
        } else {
            (value * 0.5 - self.center * 0.5) / (self.unit * 0.5)
        };
        standardized.clamp(-History::LARGEST, History::LARGEST)
    }

    fn restored(&self, standardized: f64) -> f64 {
        finite(self.center + finite(self.unit * standardized))
    }

    /// Periods of the two cycles in ticks, the shorter first.
    pub(crate) fn periods(&self) -> [i64; 2] {
        [self.memory.short.period, self.memory.long.period]
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.clock.changes.len() * size_of::<(i64, i64)>()
    }
}

/// The two cycles that profiles are kept of: day and week where nothing or a day is known, else those of
/// the series.
fn cycles(periods: &[i64], time_unit: TimeUnit) -> [i64; 2] {
    let second = time_unit.ticks_per_second();
    let (day, week) = (86_400 * second, 604_800 * second);
    match periods {
        [] => [day, week],
        // A day mostly has a week with it, which a short history cannot show.
        [only] if *only == day || *only == week => [day, week],
        // One cycle has its profile in coarse and in fine phases.
        [only] => [*only, *only],
        [.., short, long] => [*short, *long],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(periods: &[i64]) -> TailViews {
        TailViews::new(Setup {
            alarm_rate: 0.001,
            time_unit: TimeUnit::Seconds,
            clock: Clock::default(),
            choice: Choice::Named,
            periods: periods.to_vec(),
        })
    }

    fn noise(i: i64) -> f64 {
        (i * 7_919 % 1_009) as f64 / 504.5 - 1.0
    }

    #[test]
    fn a_state_takes_four_kibibytes() {
        assert!(
            size_of::<TailViews>() <= 4_096,
            "{}",
            size_of::<TailViews>()
        );
    }

    #[test]
    fn a_spike_is_an_anomaly_and_alerts_once() {
        let mut state = state(&[]);
        for i in 0..2_000 {
            let seen = state.observe(60 * i, noise(i));
            assert!(i >= WARM_UP as i64 || seen.score.status == Status::WarmingUp);
        }
        let seen = state.observe(120_000, 30.0);
        assert!(seen.score.anomaly && seen.alert && seen.score.status == Status::Ok);
        let again = state.observe(120_060, 31.0);
        assert!(again.score.anomaly && !again.alert);
    }

    #[test]
    fn a_constant_series_alarms_when_it_moves() {
        let mut state = state(&[]);
        for i in 0..500 {
            assert!(!state.observe(60 * i, 7.0).score.anomaly);
        }
        assert!(state.observe(30_000, 7.000_1).score.anomaly);
    }

    #[test]
    fn cycles_are_those_of_the_calendar_unless_the_series_has_its_own() {
        let of = |periods: &[i64]| state(periods).periods();
        assert_eq!(of(&[]), [86_400, 604_800]);
        assert_eq!(of(&[86_400]), [86_400, 604_800]);
        assert_eq!(of(&[3_600]), [3_600, 3_600]);
        assert_eq!(of(&[3_600, 86_400]), [3_600, 86_400]);
        assert_eq!(of(&[1_001]), [1_001, 1_001]);
        assert_eq!(of(&[60, 1_001, 5_005]), [1_001, 5_005]);
    }

    #[test]
    fn judging_learns_nothing_and_says_what_observing_says() {
        let mut state = state(&[]);
        for i in 0..700 {
            let before = state.clone();
            let judged = state.judge(60 * i, noise(i));
            assert_eq!(state, before);
            assert_eq!(state.observe(60 * i, noise(i)), judged);
        }
    }

    #[test]
    fn values_at_the_ends_of_the_range_do_no_harm() {
        let mut state = state(&[1]);
        for i in 0..900 {
            let value = [f64::MAX, f64::MIN, 0.0, f64::MIN_POSITIVE, f64::NAN][i as usize % 5];
            let seen = state.observe(i * (i64::MAX / 900), value);
            let score = seen.score;
            assert!(score.p_value > 0.0 && score.lower.is_finite() && score.upper.is_finite());
        }
    }
}
