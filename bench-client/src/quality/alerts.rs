//! Scores with one alert an event: what is left of them for whoever is woken by alerts alone.

use detectors::online::Alerts;

use super::scorer::Scored;

/// The scores of the points that are the first of their event, or much stronger than the alert
/// before; 0 for all others. Which points those are does not depend on a threshold, so any threshold
/// can be chosen afterwards.
pub fn one_an_event(scored: &Scored) -> Scored {
    let mut alerts = Alerts::default();
    let kept = scored.anomaly_scores.iter().map(
        |&score| {
            if alerts.next(score, 0.0) { score } else { 0.0 }
        },
    );
    Scored {
        anomaly_scores: kept.collect(),
        ..scored.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_an_event_is_kept_and_what_is_much_stronger() {
        let scored = Scored {
            anomaly_scores: vec![0.0, 1.0, 1.2, 0.4, 1.4, 1.3],
            p_values: vec![0.5; 6],
            ..Scored::default()
        };
        let kept = one_an_event(&scored);
        assert_eq!(kept.anomaly_scores, [0.0, 1.0, 0.0, 0.0, 1.4, 0.0]);
        assert_eq!(kept.p_values, scored.p_values);
    }
}
