//! Which contender wins, and whether it is better than the present holder of an alias.

use api::backtest::{BacktestContender, BacktestMeasured};

/// How the winner is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// By the highest event-F1.
    EventF1,
    /// By the observed alarm rate that is nearest to what was asked for, among those whose interval has that in it.
    AlarmRate,
}

impl Rule {
    /// The rule as it is told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventF1 => "event_f1",
            Self::AlarmRate => "alarm_rate",
        }
    }
}

/// What the rule says.
#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    /// This contender, by its index, wins against all others.
    Wins(usize, String),
    /// The holder stays, or nobody wins; the best one, if there is one.
    Nobody(Option<usize>, String),
}

/// What contenders are ordered by: the first that differs decides, the greater one wins.
type Merits = [f64; 3];

fn merits(rule: Rule, measured: &BacktestMeasured) -> Option<Merits> {
    match rule {
        Rule::EventF1 => {
            let events = &measured.labelled.as_ref()?.by_event;
            let delay = events.median_delay_points.unwrap_or(f64::INFINITY);
            Some([events.f1?, -(events.false_alerts as f64), -delay])
        }
        Rule::AlarmRate => {
            let rate = &measured.alarm_rate;
            let distance = (rate.observed? - rate.target).abs() / rate.target;
            rate.agrees.then_some([-distance, 0.0, 0.0])
        }
    }
}

fn told(rule: Rule, contender: &BacktestContender) -> String {
    let measured = contender.compared.as_ref();
    let name = &contender.name;
    match rule {
        Rule::EventF1 => {
            let events = measured.and_then(|measured| measured.labelled.as_ref());
            let f1 = events
                .and_then(|labelled| labelled.by_event.f1)
                .unwrap_or(0.0);
            format!("{name} has an event-F1 of {f1:.3}")
        }
        Rule::AlarmRate => {
            let rate = measured.map(|measured| measured.alarm_rate);
            let observed = rate.and_then(|rate| rate.observed).unwrap_or(0.0);
            let target = rate.map_or(0.0, |rate| rate.target);
            format!("{name} alarms at a rate of {observed:.6}, {target} was asked for")
        }
    }
}

/// Decides by what all have scored. `holder` is the index of the present holder.
pub(super) fn decide(
    rule: Rule,
    contenders: &[BacktestContender],
    holder: Option<usize>,
) -> Decision {
    let of = |index: usize| {
        let measured = contenders[index].compared.as_ref();
        measured.and_then(|measured| merits(rule, measured))
    };
    if let Some(holder) = holder
        && contenders[holder].compared.is_none()
    {
        let reason = format!(
            "the present holder, {}, cannot be compared: {}",
            contenders[holder].name,
            contenders[holder]
                .error
                .as_deref()
                .unwrap_or("it has no score")
        );
        return Decision::Nobody(None, reason);
    }
    let mut best: Option<(usize, Merits)> = None;
    // The holder first: of equals the one before stays.
    let order = holder.into_iter().chain(0..contenders.len());
    for index in order {
        let Some(merits) = of(index) else { continue };
        if best.is_none_or(|(_, best)| best.iter().lt(merits.iter())) {
            best = Some((index, merits));
        }
    }
    let Some((index, _)) = best else {
        let reason = match rule {
            Rule::EventF1 => "there is no labelled event among the points that all have scored",
            Rule::AlarmRate => "the rate asked for is in the interval of no contender",
        };
        return Decision::Nobody(None, reason.to_owned());
    };
    let words = told(rule, &contenders[index]);
    match holder {
        Some(holder) if holder == index => Decision::Nobody(
            Some(index),
            format!("nothing beats the present holder: {words}"),
        ),
        Some(holder) => {
            let against = told(rule, &contenders[holder]);
            Decision::Wins(index, format!("{words}; the holder before, {against}"))
        }
        None => Decision::Wins(index, format!("{words}, and nothing held the alias")),
    }
}

#[cfg(test)]
mod tests {
    use api::backtest::{BacktestByEvent, BacktestByPoint, BacktestLabelled, BacktestRate};

    use super::*;

    fn contender(name: &str, f1: Option<f64>, observed: f64, agrees: bool) -> BacktestContender {
        let by_event = BacktestByEvent {
            events: 3,
            found: 1,
            false_alerts: 1,
            precision: None,
            recall: None,
            f1,
            median_delay_points: None,
            median_delay_seconds: None,
            missed: Vec::new(),
        };
        let by_point = BacktestByPoint {
            precision: None,
            recall: None,
            f1: None,
        };
        let measured = BacktestMeasured {
            points: 100,
            alarms: 1,
            alerts: 1,
            alarms_per_week: None,
            alerts_per_week: None,
            alarm_rate: BacktestRate {
                target: 0.01,
                points: 100,
                alarms: 1,
                observed: Some(observed),
                lower: 0.0,
                upper: 1.0,
                agrees,
            },
            labelled: Some(BacktestLabelled {
                points: 3,
                by_point,
                by_event,
            }),
        };
        BacktestContender {
            name: name.to_owned(),
            kind: "candidate".to_owned(),
            version: None,
            model: None,
            error: None,
            fits: 1,
            failed_fits: 0,
            scored_from: None,
            measured: Some(measured.clone()),
            compared: Some(measured),
            top_alarms: Vec::new(),
            p_values: None,
        }
    }

    fn winner(decision: &Decision) -> Option<usize> {
        match decision {
            Decision::Wins(index, _) => Some(*index),
            Decision::Nobody(..) => None,
        }
    }

    #[test]
    fn the_highest_f1_wins_and_a_tie_leaves_the_holder() {
        let three = [
            contender("a", Some(0.5), 0.01, true),
            contender("b", Some(0.8), 0.5, false),
            contender("c", Some(0.8), 0.01, true),
        ];
        let by = |holder| winner(&decide(Rule::EventF1, &three, holder));
        assert_eq!(by(None), Some(1));
        assert_eq!(by(Some(0)), Some(1));
        assert_eq!(by(Some(1)), None);
        assert_eq!(by(Some(2)), None, "b is no better");
        let none = [contender("a", None, 0.01, true)];
        let decision = decide(Rule::EventF1, &none, None);
        assert!(
            matches!(&decision, Decision::Nobody(None, reason) if reason.contains("no labelled event"))
        );
    }

    #[test]
    fn the_nearest_rate_wins_only_where_its_interval_agrees() {
        let three = [
            contender("a", None, 0.012, true),
            contender("b", None, 0.01, false),
            contender("c", None, 0.009, true),
        ];
        let by = |holder| winner(&decide(Rule::AlarmRate, &three, holder));
        assert_eq!(by(None), Some(2));
        assert_eq!(by(Some(0)), Some(2));
        assert_eq!(
            by(Some(1)),
            Some(2),
            "a holder that does not agree is beaten"
        );
        assert_eq!(by(Some(2)), None);
        let decision = decide(Rule::AlarmRate, &three[1..2], None);
        assert_eq!(winner(&decision), None);
    }

    #[test]
    fn a_holder_that_cannot_be_compared_stays() {
        let mut two = [
            contender("a", Some(1.0), 0.01, true),
            contender("b", Some(0.1), 0.01, true),
        ];
        two[1].compared = None;
        two[1].error = Some("it was fitted on all points".to_owned());
        let decision = decide(Rule::EventF1, &two, Some(1));
        assert!(
            matches!(&decision, Decision::Nobody(None, reason) if reason.contains("fitted on all points"))
        );
    }
}
