//! Rounds, medians and ratios, as lines on stdout.

use std::time::Duration;

use crate::is_smoke;
use crate::load::{Load, Outcome, Pace};
use crate::machine::{self, Neighbours};
use crate::process::Server;

/// The middle value.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0
}

/// One round of one server.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Replies a second.
    pub per_second: f64,
    /// CPU time of the server a request, microseconds.
    pub cpu_us: f64,
    /// Median latency, milliseconds.
    pub p50_ms: f64,
    /// 99th percentile, milliseconds.
    pub p99_ms: f64,
}

/// Writes the next request.
type NextRequest = Box<dyn FnMut(&mut Vec<u8>)>;

/// What takes turns with others: a server, connections to it and what is asked.
pub struct Contender {
    name: &'static str,
    server: Server,
    load: Load,
    next: NextRequest,
    samples: Vec<Sample>,
}

impl Contender {
    /// Connects to `server` and lets it warm up for `warm_up`.
    #[must_use]
    pub fn new(
        name: &'static str,
        server: Server,
        connections: usize,
        warm_up: Duration,
        next: impl FnMut(&mut Vec<u8>) + 'static,
    ) -> Self {
        let load = Load::connect(server.addr(), connections);
        let mut this = Self {
            name,
            server,
            load,
            next: Box::new(next),
            samples: Vec::new(),
        };
        let _ = this.run(warm_up, Pace::Closed);
        this
    }

    /// Asks for `duration` and forgets the result.
    pub fn run(&mut self, duration: Duration, pace: Pace) -> Outcome {
        self.load.run(duration, pace, &mut self.next)
    }

    /// Asks for `duration` and keeps what was measured.
    pub fn measure(&mut self, duration: Duration) {
        let before = self.server.cpu_time();
        let outcome = self.run(duration, Pace::Closed);
        let cpu = self.server.cpu_time() - before;
        self.samples.push(Sample {
            per_second: outcome.per_second(),
            cpu_us: cpu.as_secs_f64() * 1e6 / outcome.requests as f64,
            p50_ms: outcome.quantile_ms(0.5),
            p99_ms: outcome.quantile_ms(0.99),
        });
    }

    /// The median of `of` over the rounds.
    #[must_use]
    pub fn median(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        median(&self.samples.iter().map(of).collect::<Vec<_>>())
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The server's name in tables.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// A round is run again when others used more cores than this.
const DISTURBED: f64 = 0.15;
/// Rounds run again, at most, for each that counts.
const REPEATS: usize = 4;

/// How rounds are run.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    /// How many.
    pub n: usize,
    /// Each server's turn in each of them.
    pub turn: Duration,
}

impl Rounds {
    /// Lets the contenders take turns and prints the table.
    pub fn run(self, title: &str, contenders: &mut [Contender]) {
        let cpu = |contenders: &[Contender]| {
            let servers: Duration = contenders.iter().map(|c| c.server.cpu_time()).sum();
            servers + machine::cpu_time(std::process::id())
        };
        let mut left_out = 0;
        let (mut others, mut stolen) = (Vec::new(), Vec::new());
        while others.len() < self.n {
            let (neighbours, before) = (Neighbours::watch(), cpu(contenders));
            for contender in contenders.iter_mut() {
                contender.measure(self.turn);
            }
            let used = neighbours.cores(cpu(contenders) - before);
            if used.0 > DISTURBED && left_out < REPEATS * self.n {
                left_out += 1;
                for contender in contenders.iter_mut() {
                    let _ = contender.samples.pop();
                }
                continue;
            }
            others.push(used.0);
            stolen.push(used.1);
        }
        println!(
            "\n{title}: median of {} rounds of {:?}; others used {:.2} cores, {:.2} were stolen; {left_out} rounds \
             with busier neighbours were run again",
            self.n,
            self.turn,
            median(&others),
            median(&stolen)
        );
        println!(
            "{:<24} {:>12} {:>12} {:>9} {:>9}",
            "", "requests/s", "CPU us/req", "p50 ms", "p99 ms"
        );
        for contender in contenders.iter() {
            println!(
                "{:<24} {:>12.0} {:>12.2} {:>9.3} {:>9.3}",
                contender.name,
                contender.median(|s| s.per_second),
                contender.median(|s| s.cpu_us),
                contender.median(|s| s.p50_ms),
                contender.median(|s| s.p99_ms)
            );
        }
    }
}

/// The median over rounds of a ratio within a round: what one round's neighbour disturbs is
/// disturbed in both.
#[must_use]
pub fn ratio(a: &Contender, b: &Contender, of: impl Fn(&Sample) -> f64) -> f64 {
    let ratios = a.samples.iter().zip(&b.samples).map(|(a, b)| of(a) / of(b));
    median(&ratios.collect::<Vec<_>>())
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// Prints a figure beside its target.
pub fn verdict(id: &str, what: &str, figure: f64, target: Target) {
    let (sign, bound, reached) = match target {
        Target::AtMost(bound) => ("<=", bound, figure <= bound),
        Target::AtLeast(bound) => (">=", bound, figure >= bound),
    };
    let word = match (is_smoke(), reached) {
        (true, _) => "not judged in a smoke test",
        (false, true) => "reached",
        (false, false) => "MISSED",
    };
    println!("{id:<4} {what}: {figure:.3} (target {sign} {bound}) {word}");
}
