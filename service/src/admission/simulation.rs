//! The law of [`limit`](super::limit) on a simulated server: arrivals and services are drawn, time passes as they say,
//! and nothing depends on the machine.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Class;
use super::gate::law;
use super::limit::{Limit, Place};

/// A stretch of time with Poisson arrivals.
#[derive(Clone, Copy)]
struct Phase {
    seconds: f64,
    /// Arrivals, as a multiple of what the threads serve in `service` seconds each.
    load: f64,
    service: f64,
}

/// What came of the arrivals of a phase.
#[derive(Default)]
struct Served {
    /// Seconds from arrival to the end of the service.
    latencies: Vec<f64>,
    refused: usize,
    seconds: f64,
}

impl Served {
    fn a_second(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    fn p99(&self) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted[(sorted.len() * 99).div_ceil(100) - 1]
    }
}

/// What decides how many may wait.
enum Control {
    Adaptive(Limit),
    Fixed(usize),
}

impl Control {
    fn place(&mut self, waiting: usize) -> Option<Place> {
        match self {
            Self::Adaptive(limit) => (waiting < limit.allowed()).then(|| limit.taken(waiting)),
            Self::Fixed(n) => (waiting < *n).then_some(Place::Standing),
        }
    }
}

#[derive(PartialEq)]
struct End(f64);

impl Eq for End {}

impl PartialOrd for End {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for End {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.total_cmp(&self.0)
    }
}

struct Waiting {
    arrived: f64,
    place: Place,
    phase: usize,
    service: f64,
}

struct Server {
    control: Control,
    threads: usize,
    /// Ends of the services under way.
    busy: BinaryHeap<End>,
    waiting: VecDeque<Waiting>,
    rng: ChaCha8Rng,
    now: f64,
    served: Vec<Served>,
}

impl Server {
    fn play(threads: usize, control: Control, phases: &[Phase]) -> Vec<Served> {
        let mut server = Self {
            control,
            threads,
            busy: BinaryHeap::new(),
            waiting: VecDeque::new(),
            rng: ChaCha8Rng::seed_from_u64(7),
            now: 0.0,
            served: Vec::new(),
        };
        for (number, phase) in phases.iter().enumerate() {
            server.served.push(Served {
                seconds: phase.seconds,
                ..Served::default()
            });
            let end = server.now + phase.seconds;
            let rate = phase.load * threads as f64 / phase.service;
            loop {
                let next = server.now - (1.0 - server.rng.random::<f64>()).ln() / rate;
                server.pass_to(next.min(end));
                if next >= end {
                    break;
                }
                server.arrive(number, phase.service);
            }
        }
        server.served
    }

    /// Half of a service is always there, the rest is exponential: neither all alike nor without a least.
    fn draw(&mut self, mean: f64) -> f64 {
        let random = -(1.0 - self.rng.random::<f64>()).ln();
        mean * (0.5 + 0.5 * random)
    }

    fn arrive(&mut self, phase: usize, mean: f64) {
        let arrival = Waiting {
            arrived: self.now,
            place: Place::Standing,
            phase,
            service: self.draw(mean),
        };
        if self.busy.len() < self.threads && self.waiting.is_empty() {
            self.begin(&arrival);
            self.idle();
        } else if let Some(place) = self.control.place(self.waiting.len()) {
            self.waiting.push_back(Waiting { place, ..arrival });
        } else {
            self.served[phase].refused += 1;
        }
    }

    fn begin(&mut self, it: &Waiting) {
        self.busy.push(End(self.now + it.service));
        if let Control::Adaptive(limit) = &mut self.control {
            let waited = self.now - it.arrived;
            limit.begun(self.now, it.place, waited, self.waiting.len());
            // Told at once and not when it ends: the order of two threads' ends makes no difference to a mean.
            limit.ended(it.service);
        }
        let latency = self.now + it.service - it.arrived;
        self.served[it.phase].latencies.push(latency);
    }

    fn idle(&mut self) {
        if let Control::Adaptive(limit) = &mut self.control {
            limit.idle(self.now, self.threads - self.busy.len());
        }
    }

    fn pass_to(&mut self, time: f64) {
        while let Some(End(end)) = self.busy.peek().filter(|end| end.0 <= time) {
            self.now = *end;
            self.busy.pop();
            match self.waiting.pop_front() {
                Some(waiting) => self.begin(&waiting),
                None => self.idle(),
            }
        }
        self.now = time;
    }
}

const LOADS: [f64; 6] = [0.5, 0.8, 1.0, 2.0, 5.0, 10.0];

fn adaptive(class: Class, threads: usize) -> Control {
    Control::Adaptive(Limit::new(law(class, threads), threads))
}

fn at(load: f64, service: f64) -> Phase {
    // Enough for a p99 at any load.
    Phase {
        seconds: 10_000.0 * service,
        load,
        service,
    }
}

/// Whether goodput and latency hold at ten times the capacity: O1 and O2.
fn holds(threads: usize, service: f64, control: impl Fn() -> Control) -> (bool, bool) {
    let levels = LOADS.map(|load| {
        let phases = [at(load, service)];
        Server::play(threads, control(), &phases).remove(0)
    });
    let peak = levels.iter().map(Served::a_second).fold(0.0, f64::max);
    let [_, calm, .., worst] = &levels;
    (
        worst.a_second() >= 0.9 * peak,
        worst.p99() <= 2.0 * calm.p99(),
    )
}

#[test]
fn goodput_and_latency_hold_at_ten_times_the_capacity() {
    for threads in [1, 2, 4] {
        for service in [0.001, 0.004, 0.05] {
            let held = holds(threads, service, || adaptive(Class::Predict, threads));
            assert_eq!(held, (true, true), "{threads} threads, {service} s");
        }
    }
}

#[test]
fn fits_keep_their_goodput_too() {
    let (goodput, _) = holds(2, 0.2, || adaptive(Class::Fit, 2));
    assert!(goodput);
}

/// The control: what a queue of a fixed length does.
#[test]
fn a_long_queue_breaks_the_latency_and_none_the_goodput() {
    assert_eq!(
        holds(1, 0.004, || Control::Fixed(1_024)),
        (true, false),
        "whoever is served has waited for a thousand others"
    );
    // With nobody waiting, a thread is idle until the next arrival: at the capacity, half of the time.
    let at_capacity = |control| Server::play(1, control, &[at(1.0, 0.004)]).remove(0);
    let none = at_capacity(Control::Fixed(0)).a_second();
    let ours = at_capacity(adaptive(Class::Predict, 1)).a_second();
    assert!(none < 0.6 * 250.0 && ours > 0.85 * 250.0, "{none} {ours}");
}

#[test]
fn the_limit_follows_the_time_of_a_service() {
    let phases = [at(5.0, 0.002), at(5.0, 0.02), at(5.0, 0.002)];
    let [fast, slow, again] = Server::play(2, adaptive(Class::Predict, 2), &phases)
        .try_into()
        .unwrap_or_else(|_| unreachable!("three phases"));
    for (served, service) in [(&fast, 0.002), (&slow, 0.02), (&again, 0.002)] {
        let possible = 2.0 / service;
        assert!(served.a_second() > 0.95 * possible, "{}", served.a_second());
        assert!(served.p99() < 14.0 * service, "{}", served.p99());
    }
    // Ten times as long for each of those who waited when the services became slow: and no more of them.
    let late = slow.latencies.iter().filter(|s| **s > 14.0 * 0.02).count();
    assert!(late * 200 < slow.latencies.len(), "{late}");
}

#[test]
fn nothing_is_left_of_an_overload_that_is_over() {
    let phases = [at(10.0, 0.004), at(0.8, 0.004)];
    let served = Server::play(1, adaptive(Class::Predict, 1), &phases);
    let (over, calm) = (&served[0], &served[1]);
    assert!(over.refused > 8 * over.latencies.len());
    let good = calm.latencies.len() as f64 / (calm.latencies.len() + calm.refused) as f64;
    assert!(good > 0.98, "{good}");
}

#[test]
fn a_burst_after_a_calm_is_served_whole() {
    for (class, burst) in [(Class::Predict, 32), (Class::Fit, 512)] {
        let law = law(class, 2);
        let mut limit = Limit::new(law, 2);
        let service = 0.05;
        // An overload has used what a calm had left, and each wait was too long.
        limit.idle(0.0, 0);
        for n in 0..10_000 {
            limit.taken(law.most);
            limit.begun(f64::from(n) * service, Place::Standing, 10.0, 5);
            limit.ended(service);
        }
        assert_eq!((limit.standing(), limit.allowed()), (law.least, law.least));
        // Of two threads, one has nothing to do for as long as a burst takes.
        limit.idle(500.0, 1);
        limit.idle(500.0 + burst as f64 * service + 1e-6, 0);
        assert_eq!(limit.allowed(), law.least + burst);
        for waiting in 0..burst + law.least {
            let place = limit.taken(waiting);
            assert_eq!(place == Place::Standing, waiting < law.least);
        }
        assert_eq!(limit.allowed(), law.least, "each place is used once");
    }
}
