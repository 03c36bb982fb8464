//! Scenarios with single requests: each passes on a server that does right, and fails on one that is wrong in what
//! its rule is about.

use super::command::{Stub, play};
use super::fake::{Fake, Wrong};

fn on(wrong: Wrong, name: &str) -> super::command::Played {
    let fake = Fake::start(wrong);
    play(name, &["--base-url", &fake.url])
}

#[test]
fn agents_get_the_answers_of_their_own_models() {
    for right in [Wrong::Nothing, Wrong::SaysLittle] {
        let played = on(right, "agents");
        played.assert_verdict("pass", 0);
        assert_eq!(played.figure("rapid: predicts"), 500.0);
        assert_eq!(played.figure("isolation: predicts"), 50.0);
    }
    let played = on(Wrong::OthersModel, "agents");
    played.assert_verdict("fail", 1);
    assert_eq!(played.check("rapid: every predict is answered"), "pass");
    assert_eq!(played.check("rapid: every answer is from"), "fail");
    let failing = on(Wrong::PredictsFail, "agents");
    failing.assert_verdict("fail", 1);
    assert_eq!(failing.check("rapid: every predict is answered"), "fail");
    // The stub learns nothing, so that another's level is no anomaly to it.
    let stub = Stub::start(&[]);
    play("agents", &["--base-url", &stub.url]).assert_verdict("fail", 1);
}

#[test]
fn sequential_predicts_are_all_answered() {
    let played = on(Wrong::Nothing, "sequential");
    played.assert_verdict("pass", 0);
    let (min, mean, max) = (
        "of 100: min of the rest",
        "of 100: mean of the rest",
        "of 100: max of the rest",
    );
    assert!(played.figure(min) <= played.figure(mean) && played.figure(mean) <= played.figure(max));
    let played = on(Wrong::NoRetryAfter, "sequential");
    played.assert_verdict("fail", 1);
    assert_eq!(played.check("all of 100"), "fail");
}

#[test]
fn a_hot_swap_mixes_nothing_and_goes_back_to_nothing() {
    let right = on(Wrong::Nothing, "hot-swap");
    right.assert_verdict("pass", 0);
    assert!(right.figure("changes of the alias") > 0.0);
    let without = on(Wrong::NoAliases, "hot-swap");
    without.assert_verdict("pass", 0);
    assert_eq!(without.figure("changes of the alias"), 0.0);
    let left = on(Wrong::StaleAlias, "hot-swap");
    left.assert_verdict("fail", 1);
    assert_eq!(left.check("mixed"), "pass");
    assert_eq!(left.check("replaced before"), "fail");
    let mixed = on(Wrong::Mixed, "hot-swap");
    mixed.assert_verdict("fail", 1);
    assert_eq!(mixed.check("mixed"), "fail");
    assert_eq!(mixed.check("replaced before"), "pass");
    let stale = on(Wrong::Stale, "hot-swap");
    stale.assert_verdict("fail", 1);
    assert_eq!(stale.check("mixed"), "pass");
    assert_eq!(stale.check("replaced before"), "fail");
    let failing = on(Wrong::FitsFail, "hot-swap");
    failing.assert_verdict("fail", 1);
    assert_eq!(failing.check("no request fails"), "fail");
}

#[test]
fn what_a_server_does_not_tell_is_not_measurable() {
    let played = on(Wrong::SaysLittle, "hot-swap");
    played.assert_verdict("not_measurable", 3);
    assert_eq!(played.check("mixed"), "not_measurable");
}

#[test]
fn probes_are_answered_at_once_and_never_limited() {
    let stub = Stub::start(&[]);
    let played = play("health", &["--base-url", &stub.url]);
    assert_eq!(played.check("100 % of the probes"), "pass");
    assert_eq!(played.check("none is limited"), "pass");
    // How fast they are is this machine's doing; the verdict has to follow it.
    let fast = played.figure("100 at once p99") <= 10.0;
    let (verdict, code) = if fast { ("pass", 0) } else { ("fail", 1) };
    played.assert_verdict(verdict, code);

    let slow = on(Wrong::SlowProbes, "health");
    slow.assert_verdict("fail", 1);
    assert_eq!(slow.check("p99 of 100 at once"), "fail");
    assert_eq!(slow.check("100 % of the probes"), "pass");
    let limited = on(Wrong::LimitedProbes, "health");
    assert_eq!(limited.check("none is limited"), "fail");
    limited.assert_verdict("fail", 1);
}

#[test]
fn a_burst_may_be_refused_but_neither_fail_nor_vanish() {
    let burst = |flags: &[&str]| {
        let stub = Stub::start(flags);
        play("burst-150", &["--base-url", &stub.url])
    };
    let refusing = burst(&["--respond", "503:0.3"]);
    // One of the refused may have been the fit before: then nothing was played.
    if refusing.report["figures"].as_array().unwrap().is_empty() {
        refusing.assert_verdict("fail", 1);
    } else {
        refusing.assert_verdict("pass", 0);
        assert!(refusing.figure("refused (429, 503)") > 0.0);
    }
    let right = burst(&[]);
    right.assert_verdict("pass", 0);
    assert_eq!(right.figure("answered 200"), 450.0);
    burst(&["--respond", "500:0.2"]).assert_verdict("fail", 1);
    burst(&["--drop", "0.3"]).assert_verdict("fail", 1);
}

#[test]
fn refusals_of_a_ramp_say_when_to_come_again() {
    let right = on(Wrong::Nothing, "ramp");
    right.assert_verdict("pass", 0);
    assert_eq!(right.figure("requests"), 605.0);
    let silent = on(Wrong::NoRetryAfter, "ramp");
    silent.assert_verdict("fail", 1);
    assert_eq!(silent.check("Retry-After"), "fail");
    assert_eq!(silent.check("no 500"), "pass");
    let slow = on(Wrong::SlowRefusals, "ramp");
    slow.assert_verdict("fail", 1);
    assert_eq!(slow.check("p99 of refusals"), "fail");
    let failing = on(Wrong::PredictsFail, "ramp");
    failing.assert_verdict("fail", 1);
    assert_eq!(failing.check("no 500"), "fail");
    assert_eq!(failing.check("200, 429 or 503"), "fail");
}

#[test]
fn a_server_that_is_not_there_fails_in_words() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let played = play("sequential", &["--base-url", &url]);
    played.assert_verdict("fail", 1);
    assert!(played.stdout.contains("cannot reach"), "{}", played.stdout);
}
