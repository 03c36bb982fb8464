//! Predicts of one point on 100 connections: the service beside its floor and beside hyper.

use benches::load::{Outcome, Pace};
use benches::process::{Awake, Server};
use benches::report::{Contender, Rounds, Target, median, ratio, verdict};
use benches::servers::Role;

use crate::fixture::{Fitted, folder, predicts, rounds, warm_up};
use crate::peers;

const CONNECTIONS: usize = 100;

pub(crate) fn run() {
    let folder = folder();
    let Fitted { service, reply } = Fitted::start(&folder);
    let floor = Server::start(&Role::Floor {
        reply: reply.clone(),
    });
    let unstamped = Server::start(&Role::FloorUnstamped {
        reply: reply.clone(),
    });
    let hyper = Server::start(&Role::Hyper { reply });
    let enter = |name, server| Contender::new(name, server, CONNECTIONS, warm_up(), predicts());
    let mut all = vec![
        enter("service", service),
        enter("floor", floor),
        enter("floor, no stamp", unstamped),
        enter("hyper", hyper),
    ];
    all.extend(
        peers::fastapi(&folder, peers::Durability::Memory).map(|server| enter("FastAPI", server)),
    );
    rounds().run("predict, one point, 100 connections", &mut all);
    let [service, floor, unstamped, hyper, rest @ ..] = all.as_slice() else {
        unreachable!("four entered above");
    };
    let cpu = |other| ratio(service, other, |s| s.cpu_us);
    let rate = |other| ratio(service, other, |s| s.per_second);
    verdict(
        "G1",
        "CPU a predict, service / floor",
        cpu(floor),
        Target::AtMost(1.15),
    );
    println!("     without the stamp in the floor: {:.3}", cpu(unstamped));
    // Metrics, request id and admission are on; keys of callers are not part of the service yet.
    verdict(
        "G3",
        "predicts a second, service / floor",
        rate(floor),
        Target::AtLeast(0.8),
    );
    verdict(
        "G2",
        "predicts a second, service / hyper",
        rate(hyper),
        Target::AtLeast(0.85),
    );
    println!("     CPU a predict, service / hyper: {:.3}", cpu(hyper));
    for peer in rest {
        verdict(
            "G4",
            "predicts a second, service / FastAPI in memory",
            rate(peer),
            Target::AtLeast(25.0),
        );
    }
    let spread = service.median(|s| s.p99_ms / s.p50_ms);
    verdict("G5", "p99 / p50 of a predict", spread, Target::AtMost(2.5));
    let capacity = service.median(|s| s.per_second);
    at_half(&mut all[0], capacity / 2.0);
}

/// Requests that come at their own times, at half of what the server could answer.
fn at_half(service: &mut Contender, per_second: f64) {
    let awake = Awake::start();
    let Rounds { n, turn } = rounds();
    let outcomes: Vec<Outcome> = (0..n)
        .map(|_| service.run(turn, Pace::Open(per_second)))
        .collect();
    let of = |of: fn(&Outcome) -> f64| median(&outcomes.iter().map(of).collect::<Vec<_>>());
    println!(
        "\nopen loop at half the capacity, {per_second:.0} requests/s asked, {:.0} answered; core {}: p50 {:.3} ms",
        of(Outcome::per_second),
        if awake.holds() {
            "kept awake"
        } else {
            "may halt"
        },
        of(|outcome| outcome.quantile_ms(0.5))
    );
    let p99 = of(|outcome| outcome.quantile_ms(0.99));
    verdict(
        "G5",
        "p99 at half the capacity, ms",
        p99,
        Target::AtMost(1.0),
    );
}
