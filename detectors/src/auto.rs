//! `auto`: the model chosen from the data, by a rule that is fixed and explained in the reply.
//!
//! The first line that holds decides.
//!
//! | the history | model | why |
//! |---|---|---|
//! | < 32 points and no season | `gaussian`, Student-t | every point counts: the MAD uses a third of what the standard deviation does |
//! | has a season, found or named by the user | `seasonal` | what is normal depends on the time |
//! | goes along a line | `holt_winters` | a counter or a growing business has no fixed level |
//! | level wanders | `ewma` | where it was last tells more than where it was on average |
//! | < 64 points, and a robust band leaves out over 1 % and over 10 times the alarm rate of them | `gaussian`, Student-t | what happens so often is no outlier |
//! | otherwise | `robust` | a fixed level; ranks of its own deviations and Pareto tails |

use crate::models::draft::{Draft, Request};
use crate::models::history::History;
use crate::models::level::{Blocks, Course};
use crate::models::location_scale::LocationScale;
use crate::models::{FitError, Sensitivity, gaussian, robust, seasonal, smoothing};
use crate::params::Threshold;
use crate::seasons::Clock;
use crate::stats::empirical::SAMPLE_MIN;

/// Points from which `auto` takes the robust estimate.
pub(crate) const ROBUST_FROM: usize = 32;

/// A robust band may leave out so many times the alarm rate of its own history …
const EXCESS_ALLOWED: f64 = 10.0;

/// … and this share at any rate, since a history may hold an outage or two.
const OUTLIERS_ALLOWED: f64 = 0.01;

/// Stretches of a history by which its level is followed, at most …
const BLOCKS: usize = 16;

/// … and at least so many points in each.
const POINTS_A_BLOCK: usize = 4;

/// Who chose the model, and why. The numbers are those of the model's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Choice {
    Named = 0,
    FewPoints = 1,
    EnoughPoints = 2,
    /// Enough points, but the robust band leaves out too many of them.
    TooManyOutside = 3,
    SeasonFound = 4,
    LevelWanders = 5,
    LevelTrends = 6,
}

impl Choice {
    const ALL: [Self; 7] = [
        Self::Named,
        Self::FewPoints,
        Self::EnoughPoints,
        Self::TooManyOutside,
        Self::SeasonFound,
        Self::LevelWanders,
        Self::LevelTrends,
    ];

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| *choice as u8 == code)
    }
}

/// A fit of one kind or the other.
pub(crate) enum Chosen {
    LocationScale(LocationScale),
    Draft(Draft),
}

/// Chooses and fits; `periods` are those found or named, in ticks.
pub(crate) fn fit(
    values: &[f64],
    history: &History<'_>,
    periods: &[i64],
    clock: Clock,
    sensitivity: Sensitivity,
) -> Result<(Chosen, Choice), FitError> {
    let few = values.len() < ROBUST_FROM;
    if few && periods.is_empty() {
        let model = gaussian::fit(values, Threshold::AlarmRate, sensitivity, Choice::FewPoints)?;
        return Ok((Chosen::LocationScale(model), Choice::FewPoints));
    }
    if !periods.is_empty() {
        let draft = seasonal::fit(history, periods, clock);
        return Ok((Chosen::Draft(draft), Choice::SeasonFound));
    }
    let n_blocks = BLOCKS.min(values.len() / POINTS_A_BLOCK);
    let course = Blocks::of(history.ticks, &history.values, n_blocks).course();
    Ok(match course {
        Course::Trending => {
            let draft = smoothing::holt_winters(history, None, clock);
            (Chosen::Draft(draft), Choice::LevelTrends)
        }
        Course::Wandering => (
            Chosen::Draft(smoothing::ewma(history)),
            Choice::LevelWanders,
        ),
        Course::Steady if values.len() < SAMPLE_MIN => return small(values, sensitivity),
        Course::Steady => (Chosen::Draft(robust::draft(history)), Choice::EnoughPoints),
    })
}

fn small(values: &[f64], sensitivity: Sensitivity) -> Result<(Chosen, Choice), FitError> {
    let robust = robust::fit(values, sensitivity, Choice::EnoughPoints)?;
    let outside = values
        .iter()
        .filter(|&&value| robust.is_anomaly(value))
        .count() as f64;
    let allowed = (EXCESS_ALLOWED * sensitivity.alarm_rate).max(OUTLIERS_ALLOWED);
    if outside <= allowed * values.len() as f64 {
        return Ok((Chosen::LocationScale(robust), Choice::EnoughPoints));
    }
    let choice = Choice::TooManyOutside;
    let gaussian = gaussian::fit(values, Threshold::AlarmRate, sensitivity, choice)?;
    Ok((Chosen::LocationScale(gaussian), choice))
}

/// The sentence behind a choice; `None` where the user named the model.
pub(crate) fn reason(choice: Choice, n: u64) -> Option<String> {
    Some(match choice {
        Choice::Named => return None,
        Choice::FewPoints => format!(
            "{n} points, fewer than {ROBUST_FROM}: mean and standard deviation with a Student-t \
             prediction interval make the most of few points"
        ),
        Choice::EnoughPoints => format!(
            "no season, and a level that stays: median and the ranks of {n} deviations from it keep \
             the band narrow when there are outliers in the history"
        ),
        Choice::TooManyOutside => format!(
            "{n} points, of which a band of median and MAD would leave out too many to be \
             outliers: mean and standard deviation give a band that the history fits in"
        ),
        Choice::SeasonFound => "there is a season: what is normal depends on the time".to_owned(),
        Choice::LevelWanders => {
            "no season, and a level that wanders: it goes on from the last one, \
                                 and the band widens with the time since training"
                .to_owned()
        }
        Choice::LevelTrends => "no season, and values that go along a line: level and slope go on \
                                from the end, and the band widens with the time since training"
            .to_owned(),
    })
}

impl Request {
    /// The same request with the reason for the model.
    pub(crate) fn chosen(self, choice: Choice) -> Self {
        Self { choice, ..self }
    }
}
