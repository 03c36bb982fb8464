//! The replay itself: a machine that goes on by one fit or one piece of points a step.

use super::{Contender, Plan, Refit, Window};
use crate::fitted::Fitted;
use crate::models::FitError;
use crate::online::Online;
use crate::params::CheckedParams;
use crate::score::Score;
use crate::series::Series;

/// Points scored in one step at most.
pub const PIECE: usize = 4_096;

/// Points before a piece that a model which judges windows is shown again: more than its longest window has.
const CONTEXT: usize = 1_024;

/// One contender on its way through a history.
#[derive(Debug)]
pub struct Replay<'a> {
    series: Series<'a>,
    plan: Plan,
    from: usize,
    /// The next point to score.
    next: usize,
    scores: Vec<Score>,
    n_fits: usize,
    failed_fits: usize,
    server: Server,
    /// Points after a cut that its fit sees as well: 0, or the leak that the test of causality has to find.
    pub(super) leak: usize,
    /// [`PIECE`], or less where a test has fewer points.
    pub(super) piece: usize,
}

/// What scores the next point.
#[derive(Debug)]
enum Server {
    /// To be fitted at the first point, and after each stretch.
    Fitting {
        params: Box<CheckedParams>,
        model: Option<Serving>,
        /// The point from which on the model has scored.
        since: usize,
    },
    Version(Serving),
    Online(Online),
}

/// A model that scores a stretch in pieces.
#[derive(Debug)]
enum Serving {
    Fixed(Fitted),
    /// One that learns from the points before, as it does within the columns of a request.
    Learning(Online),
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A model was fitted.
    Fitted,
    /// A fit failed, and the model of before goes on.
    FitFailed,
    /// So many points were scored.
    Scored(usize),
}

/// What came of a replay.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// Index of the first point scored.
    pub from: usize,
    /// The scores from there to the end.
    pub scores: Vec<Score>,
    /// Fits that were made.
    pub n_fits: usize,
    /// Fits that failed, after which the model of before went on.
    pub failed_fits: usize,
    /// Share of normal points that may alarm, of the model that scored last.
    pub alarm_rate: f64,
    /// Name of the model that scored last.
    pub model: &'static str,
}

impl Replayed {
    /// Whether each point scored was an alarm.
    #[must_use]
    pub fn alarms(&self) -> Vec<bool> {
        self.scores.iter().map(|score| score.anomaly).collect()
    }
}

impl Serving {
    fn of(model: Fitted, history: &Series<'_>) -> Self {
        // Its state is the model: it goes on where its training ended.
        if model.learns() {
            Self::Learning(Online::resume(&model, history))
        } else {
            Self::Fixed(model)
        }
    }

    fn alarm_rate(&self) -> f64 {
        match self {
            Self::Fixed(model) => model.alarm_rate(),
            Self::Learning(online) => online.alarm_rate(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Fixed(model) => model.summary().model,
            Self::Learning(_) => "tail_views",
        }
    }
}

impl<'a> Replay<'a> {
    /// A replay that has done nothing yet. A cut beyond the end scores nothing.
    #[must_use]
    pub fn new(series: Series<'a>, contender: Contender, plan: Plan) -> Self {
        let first = plan.first.min(series.len());
        let (server, from) = match contender {
            Contender::Fit(params) => {
                let server = Server::Fitting {
                    params,
                    model: None,
                    since: first,
                };
                (server, first)
            }
            Contender::Version { model, trained_to } => {
                let known = series.timestamps().partition_point(|t| *t <= trained_to);
                let none = Series::new(&[], &[]).expect("no point is a series");
                (
                    Server::Version(Serving::of(*model, &none)),
                    first.max(known),
                )
            }
            Contender::Online(params) => {
                let begins = series.timestamps().first().copied().unwrap_or(0);
                (Server::Online(Online::new(&params, begins)), first)
            }
        };
        let next = match server {
            // It learns what comes before as well.
            Server::Online(_) => 0,
            Server::Fitting { .. } | Server::Version(_) => from,
        };
        Self {
            series,
            plan,
            from,
            next,
            scores: Vec::with_capacity(series.len() - from),
            n_fits: 0,
            failed_fits: 0,
            server,
            leak: 0,
            piece: PIECE,
        }
    }

    /// Index of the first point that is scored.
    #[must_use]
    pub fn from(&self) -> usize {
        self.from
    }

    /// Points passed of those there are to pass.
    #[must_use]
    pub fn passed(&self) -> (usize, usize) {
        let begun = match self.server {
            Server::Online(_) => 0,
            Server::Fitting { .. } | Server::Version(_) => self.from,
        };
        (self.next - begun, self.series.len() - begun)
    }

    /// Makes the next fit, or scores the next piece; `None` at the end.
    ///
    /// # Errors
    /// When the first fit fails: then there is nothing to score with.
    pub fn step(&mut self) -> Result<Option<Step>, FitError> {
        if self.next >= self.series.len() {
            return Ok(None);
        }
        if self.is_fit_due() {
            return self.fit().map(Some);
        }
        let end = self.end_of_piece();
        let piece = self.next..end;
        let (ticks, values) = (self.series.timestamps(), self.series.values());
        let scores = &mut self.scores;
        match &mut self.server {
            Server::Online(online) => {
                for i in piece.clone() {
                    let score = online.observe(ticks[i], values[i]).score;
                    if i >= self.from {
                        scores.push(score);
                    }
                }
            }
            Server::Version(Serving::Learning(online))
            | Server::Fitting {
                model: Some(Serving::Learning(online)),
                ..
            } => {
                for i in piece.clone() {
                    scores.push(online.observe(ticks[i], values[i]).score);
                }
            }
            Server::Version(Serving::Fixed(model)) => {
                // Nothing of the history is in it: what came before is its context where it has one.
                let before = if model.is_windowed() { CONTEXT } else { 0 };
                let seen = piece.start.saturating_sub(before);
                score(model, ticks, values, seen, piece.clone(), scores);
            }
            Server::Fitting {
                model: Some(Serving::Fixed(model)),
                since,
                ..
            } => {
                // At the start of a stretch its context is the end of its training.
                let before = if model.is_windowed() { CONTEXT } else { 0 };
                let seen = piece.start.saturating_sub(before).max(*since);
                score(model, ticks, values, seen, piece.clone(), scores);
            }
            Server::Fitting { model: None, .. } => {
                unreachable!("a fit is due where there is no model")
            }
        }
        self.next = end;
        Ok(Some(Step::Scored(piece.len())))
    }

    /// What came of it.
    #[must_use]
    pub fn finish(self) -> Replayed {
        let (alarm_rate, model) = match &self.server {
            Server::Online(online) => (online.alarm_rate(), "tail_views"),
            Server::Version(serving)
            | Server::Fitting {
                model: Some(serving),
                ..
            } => (serving.alarm_rate(), serving.name()),
            Server::Fitting {
                params,
                model: None,
                ..
            } => (params.alarm_rate(), params.model()),
        };
        Replayed {
            from: self.from,
            scores: self.scores,
            n_fits: self.n_fits,
            failed_fits: self.failed_fits,
            alarm_rate,
            model,
        }
    }

    fn is_fit_due(&self) -> bool {
        let Server::Fitting { model, since, .. } = &self.server else {
            return false;
        };
        match self.plan.refit {
            _ if model.is_none() => true,
            Refit::Never => false,
            Refit::Every { points, .. } => self.next - since >= points.max(1),
        }
    }

    fn end_of_piece(&self) -> usize {
        let end = (self.next + self.piece).min(self.series.len());
        match (&self.server, self.plan.refit) {
            (Server::Fitting { since, .. }, Refit::Every { points, .. }) => {
                end.min(since.saturating_add(points.max(1)))
            }
            _ => end,
        }
    }

    fn fit(&mut self) -> Result<Step, FitError> {
        let cut = (self.next + self.leak).min(self.series.len());
        let from = match self.plan.refit {
            Refit::Every {
                window: Window::Sliding(points),
                ..
            } => self.next.saturating_sub(points),
            Refit::Never | Refit::Every { .. } => 0,
        };
        let ticks = &self.series.timestamps()[from..cut];
        let values = &self.series.values()[from..cut];
        let before = self.series.with_columns(ticks, values);
        let Server::Fitting {
            params,
            model,
            since,
        } = &mut self.server
        else {
            unreachable!("only what is fitted is fitted anew")
        };
        *since = self.next;
        match params.fit(&before) {
            Ok(fitted) => {
                *model = Some(Serving::of(fitted, &before));
                self.n_fits += 1;
                Ok(Step::Fitted)
            }
            Err(error) if model.is_none() => Err(error),
            Err(_) => {
                self.failed_fits += 1;
                Ok(Step::FitFailed)
            }
        }
    }
}

/// Scores a piece, shown with the points from `seen` on.
fn score(
    model: &Fitted,
    ticks: &[i64],
    values: &[f64],
    seen: usize,
    piece: std::ops::Range<usize>,
    scores: &mut Vec<Score>,
) {
    let mut at = seen;
    model.score_columns(&ticks[seen..piece.end], &values[seen..piece.end], |score| {
        if at >= piece.start {
            scores.push(score);
        }
        at += 1;
    });
}
