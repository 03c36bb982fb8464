//! What a restored server has, and whether it is a moment that was.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::super::audit::{self, Ack, Versions, audit};
use super::super::http::{Connection, once};
use super::super::payload::POINT;
use super::super::read_back::read_back;
use super::writers::{Change, Pointed, Written, alias_series, update};

/// What does not hold.
#[derive(Debug, PartialEq)]
pub(super) enum Violation {
    /// As after a crash, of what was acknowledged before the backup began.
    Fit(audit::Violation),
    /// A version that was acknowledged later is there with another model.
    Changed { series: String, version: u64 },
    /// A change that was acknowledged before the backup began is not there.
    Lost { what: String },
    /// It is not there, and another that was sent after its acknowledgement is.
    Torn { what: String },
    /// The alias is where no change left it together with the latest version.
    NoMoment { series: String, found: Pointed },
}

/// What a server has.
pub(super) struct Moment {
    pub(super) versions: Versions,
    /// Latest version and alias by writer; 0 where there is none.
    aliases: Vec<Pointed>,
    /// Points learnt by writer.
    states: Vec<usize>,
}

/// A change, and whether it is there.
struct Event {
    what: String,
    sent: Duration,
    told: Duration,
    is_there: bool,
}

impl Moment {
    pub(super) fn read(addr: SocketAddr, series: &BTreeSet<String>, written: &Written) -> Self {
        let mut connection = Connection::open(addr).expect("it listens");
        let aliases = 0..written.aliases.len();
        let aliases = aliases
            .map(|writer| {
                let mut version = |query: &str| {
                    let target = format!("/predict/{}?{query}", alias_series(writer));
                    let reply = connection.exchange("POST", &target, POINT);
                    let reply = reply.expect("a running server answers");
                    let version = reply.json()["model_version"]
                        .as_str()
                        .map(|text| text.parse().expect("digits"));
                    assert!(version.is_some() || reply.status == 404, "{}", reply.text());
                    version.unwrap_or(0)
                };
                (version("version=0"), version("alias=live"))
            })
            .collect();
        let states = 0..written.states.len();
        let states = states
            .map(|writer| {
                let target = format!("/series/state-{writer}/calibration?state=online");
                let reply = connection.exchange("GET", &target, b"");
                if reply.expect("a running server answers").status == 404 {
                    return 0;
                }
                // The first point is late, and changes nothing.
                let reply = update(&mut connection, writer, 0).expect("a running server answers");
                assert_eq!(reply["learnt"], false, "{reply}");
                reply["state_seq"].as_u64().expect("a number") as usize
            })
            .collect();
        Self {
            versions: read_back(addr, series.clone()),
            aliases,
            states,
        }
    }

    /// Series that have a version.
    pub(super) fn series_count(&self) -> usize {
        let fitted = self.versions.values().filter(|it| !it.is_empty()).count();
        fitted
            + self
                .aliases
                .iter()
                .filter(|(latest, _)| *latest > 0)
                .count()
    }

    /// Everything that does not hold of a backup that began then.
    pub(super) fn audit(&self, written: &Written, begun: Duration) -> Vec<Violation> {
        let before: Vec<Ack> = written
            .fits
            .iter()
            .filter(|ack| ack.told < begun)
            .cloned()
            .collect();
        let mut violations: Vec<Violation> = audit(&before, &self.versions)
            .into_iter()
            .map(Violation::Fit)
            .collect();
        for ack in written.fits.iter().filter(|ack| ack.told >= begun) {
            if self.hash(ack).is_some_and(|hash| *hash != ack.hash) {
                violations.push(Violation::Changed {
                    series: ack.series.clone(),
                    version: ack.version,
                });
            }
        }
        for (writer, (changes, found)) in written.aliases.iter().zip(&self.aliases).enumerate() {
            if *found != (0, 0) && self.reached(changes, *found).is_none() {
                // The last one may have been cut off by the end of the server.
                let next = next_of(changes);
                if *found != next {
                    violations.push(Violation::NoMoment {
                        series: alias_series(writer),
                        found: *found,
                    });
                }
            }
        }
        let events = self.events(written);
        let latest_sent = events.iter().filter(|it| it.is_there).map(|it| it.sent);
        let latest_sent = latest_sent.max().unwrap_or_default();
        for Event { what, told, .. } in events.into_iter().filter(|it| !it.is_there) {
            if told < begun {
                violations.push(Violation::Lost { what });
            } else if told < latest_sent {
                violations.push(Violation::Torn { what });
            }
        }
        violations
    }

    /// How many of the acknowledged changes are there.
    pub(super) fn n_found(&self, written: &Written) -> usize {
        let events = self.events(written);
        events.iter().filter(|event| event.is_there).count()
    }

    /// Learns what the original server learnt next: the same scores to the last bit.
    pub(super) fn assert_that_states_continue(&self, addr: SocketAddr, written: &Written) {
        let mut connection = Connection::open(addr).expect("it listens");
        for (writer, (changes, n_learnt)) in written.states.iter().zip(&self.states).enumerate() {
            for (idx, change) in changes.iter().enumerate().skip(*n_learnt).take(3) {
                let reply = update(&mut connection, writer, idx).expect("a running server answers");
                assert_eq!(reply["state_seq"], idx + 1, "{reply}");
                assert_eq!(reply["p_value"].as_f64(), Some(change.after), "{reply}");
            }
        }
        let health = once(addr, "GET", "/healthcheck", b"").expect("a reply");
        assert_eq!(health.json()["series_trained"], self.series_count());
    }

    fn hash(&self, ack: &Ack) -> Option<&String> {
        let index = usize::try_from(ack.version).ok()?.checked_sub(1)?;
        self.versions.get(&ack.series)?.get(index)?.as_ref()
    }

    /// After which change it is so.
    fn reached(&self, changes: &[Change<Pointed>], found: Pointed) -> Option<usize> {
        changes.iter().position(|change| change.after == found)
    }

    fn events(&self, written: &Written) -> Vec<Event> {
        let fits = written.fits.iter().map(|ack| Event {
            what: format!("{} version {}", ack.series, ack.version),
            sent: ack.sent,
            told: ack.told,
            is_there: self.hash(ack).is_some(),
        });
        let aliases = written.aliases.iter().zip(&self.aliases).enumerate();
        let aliases = aliases.flat_map(|(writer, (changes, found))| {
            let reached = match self.reached(changes, *found) {
                Some(reached) => reached + 1,
                None if *found == next_of(changes) => changes.len(),
                None => 0,
            };
            changes.iter().enumerate().map(move |(i, change)| Event {
                what: format!("change {i} of {}", alias_series(writer)),
                sent: change.sent,
                told: change.told,
                is_there: i < reached,
            })
        });
        let states = written.states.iter().zip(&self.states).enumerate();
        let states = states.flat_map(|(writer, (changes, n_learnt))| {
            changes.iter().enumerate().map(move |(i, change)| Event {
                what: format!("point {i} of state-{writer}"),
                sent: change.sent,
                told: change.told,
                is_there: i < *n_learnt,
            })
        });
        fits.chain(aliases).chain(states).collect()
    }
}

/// What the change after the last acknowledged one would have left.
fn next_of(changes: &[Change<Pointed>]) -> Pointed {
    match changes.last().map(|change| change.after) {
        None => (1, 1),
        Some((latest, alias)) if latest == alias && latest > 1 => (latest, 1),
        Some((latest, _)) => (latest + 1, latest + 1),
    }
}
