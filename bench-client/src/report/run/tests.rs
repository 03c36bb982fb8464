//! The page as a whole.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::load::response::{Op, ResponseRecord};
use crate::results::summary::{RunData, Validity};
use crate::tally::Tally;

const OUTSIDE: [&str; 9] = [
    "<script",
    "<link",
    "<img",
    "src=",
    "href=",
    "url(",
    "@import",
    "http-equiv",
    "<iframe",
];

#[test]
fn the_page_needs_nothing_else() {
    let page = page(&sample::run());
    for outside in OUTSIDE {
        assert!(!page.contains(outside), "{outside}");
    }
    // The one address in it is the server's, as text.
    assert_eq!(
        page.matches("://").count(),
        page.matches("http://127.0.0.1:8000").count()
    );
}

#[test]
fn every_chart_is_there_before_the_first_table() {
    let run = sample::run();
    let page = page(&run);
    let first_table = page.find("<table").unwrap();
    let charts = charts(&run);
    assert_eq!(charts.len(), 9);
    for chart in charts {
        let caption = format!("<figcaption>{}<", chart.title);
        let found = page.find(&caption).expect(chart.slug);
        assert!(found < first_table, "{}", chart.slug);
    }
    for class in [
        "q-p50",
        "q-p99",
        "cross o-timed-out",
        "area o-shed",
        "interval",
        "box",
    ] {
        assert!(page.contains(class), "{class}");
    }
}

#[test]
fn what_others_said_is_shown_as_text() {
    let mut run = sample::run();
    run.config.name = Some("<script>name</script>".into());
    run.config.command.push("<script>command</script>".into());
    run.stats.errors[0].message = "<script>error</script>".into();
    run.summary.before.failed = 1;
    run.summary.before.failures = vec!["<script>before</script>".into()];
    let hostile = serde_json::json!({"<script>k": "<script>v"});
    run.summary
        .contributed
        .insert("<script>hook".into(), hostile);
    let page = page(&run);
    assert!(!page.contains("<script"));
    for said in ["name", "command", "error", "before", "k", "v", "hook"] {
        assert!(page.contains(&format!("&lt;script&gt;{said}")), "{said}");
    }
}

fn finite(run: &RunData, what: &str) -> String {
    let page = page(run);
    for broken in ["NaN", "inf ", "inf\"", "infinity"] {
        assert!(!page.contains(broken), "{what}: {broken}");
    }
    page
}

#[test]
fn small_runs_have_a_page_without_holes() {
    assert!(finite(&sample::of(0), "none").contains("No request was made"));
    let one = finite(&sample::of(1), "one");
    assert!(one.contains("The one request was answered 2xx") && one.contains("too few"));
    for n in [2, 7, 20, 100] {
        finite(&sample::of(n), &n.to_string());
    }
    let failures = finite(&sample::only_failures(500), "failures");
    assert!(failures.contains("500 of 500 requests without a 2xx reply (100 %)"));
}

#[test]
fn quantiles_of_few_replies_are_not_numbers() {
    let run = sample::of(20);
    let p99 = run.stats.ok.last.at(0.99).unwrap();
    let hidden = super::super::figures::duration(p99.value_ns as f64);
    let page = page(&run);
    let tile = r#"<p class="label">p99</p><p class="figure few">too few</p>"#;
    assert!(page.contains(tile));
    // The maximum of the sample is the same response; nothing calls it a p99.
    for claim in [
        format!("p99 {hidden}"),
        format!("p99</p><p class=\"figure\">{hidden}"),
    ] {
        assert!(!page.contains(&claim), "{claim}");
    }
}

#[test]
fn what_spoils_a_run_is_said_at_its_top() {
    let head = |run: &RunData| {
        let page = page(run);
        let (start, end) = (
            page.find("<body>").unwrap(),
            page.find("</header>").unwrap(),
        );
        page[start..end].to_owned()
    };
    let mut run = sample::run();
    run.stats.late_sends = 5;
    let clean = head(&run);
    assert!(!clean.contains("callout"), "{clean}");
    run.stats.late_sends = 7;
    assert!(head(&run).contains("7 requests (0.12 %) were sent more than 1 ms late"));
    run.summary.interrupted = true;
    run.summary.dropped = Some(3);
    assert!(head(&run).contains("Interrupted after 6,000 requests"));
    assert!(head(&run).contains("3 requests in flight were dropped"));
    run.summary.planned = Some(9_000);
    assert!(head(&run).contains("Interrupted: 6,000 of 9,000 requests made"));
    run.summary.rebuilt = true;
    run.summary.client_use = None;
    assert!(head(&run).contains("put together from the responses"));
    run.summary.validity = Some(Validity::of(vec!["out of <breath>".to_owned()]));
    assert!(head(&run).contains("measurement of the server: out of &lt;breath&gt;."));
    assert!(head(&run).contains(r#"verdict bad">Invalid measurement. Interrupted: "#));
    run.config.client.profile = "debug".into();
    assert!(head(&run).contains("debug build"));
}

#[test]
fn a_send_window_that_says_nothing_is_called_that() {
    let mut run = sample::run();
    assert!(!page(&run).contains("say nothing about the server"));
    run.stats.send_window.says_nothing = true;
    assert!(page(&run).contains("say nothing about the server"));
}

/// From none to hours, most of them short.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        1_u64..1_000,
        (0_u32..44).prop_map(|bits| 1 << bits)
    ]
}

fn response() -> impl Strategy<Value = ResponseRecord> {
    let class = prop::sample::select(OutcomeClass::ALL.to_vec());
    let op = prop::sample::select(Op::ALL.to_vec());
    (span(), span(), span(), class, op, any::<u32>()).prop_map(|(at, lag, took, class, op, n)| {
        let sent_ns = at + lag;
        ResponseRecord {
            index: at,
            op,
            client: 0,
            intended_ns: at,
            sent_ns,
            waited_ns: n.is_multiple_of(4).then_some(lag / 2),
            first_ns: n.is_multiple_of(2).then_some(sent_ns + took / 2),
            last_ns: sent_ns + took,
            class,
            status: n.is_multiple_of(3).then_some(100 + (n % 500) as u16),
            points_in: n % 100,
            points_out: n % 50,
            bytes_out: n,
            bytes_in: n,
            server_ns: n.is_multiple_of(5).then_some(took),
            error: n.is_multiple_of(7).then(|| format!("<{n}>|").into()),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_was_measured_is_drawn_within_its_picture(
        responses in prop::collection::vec(response(), 0..60),
    ) {
        let mut run = sample::of(0);
        let mut tally = Tally::new(Duration::from_secs(1));
        responses.iter().for_each(|record| tally.add(record));
        run.stats = tally.stats();
        finite(&run, "any");
        for chart in charts(&run) {
            prop_assert_eq!(chart.outside(), Vec::<String>::new(), "{}", chart.slug);
        }
    }
}
