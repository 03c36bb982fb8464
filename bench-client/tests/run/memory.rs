//! Memory does not grow with the number of responses, LLMeter 0.2.0's fault. A run of 10⁸ requests
//! is inferred from the slope between runs of different length (`docs/load-client.md` has the
//! commands for 10⁶ and 10⁷).

use super::process::{Stub, run};

const MIB: f64 = 1_048_576.0;

#[test]
fn memory_does_not_grow_with_the_number_of_responses() {
    let stub = Stub::start(&[]);
    let peak = |requests: &str| {
        let flags = [
            "--workload=health",
            "--clients=16",
            "--low-memory",
            "--requests",
            requests,
        ];
        let run = run(&stub.url, &flags);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let summary = run.json("summary.json");
        assert_eq!(summary["headline"]["ok"].to_string(), requests);
        summary["client_use"]["max_rss_bytes"].as_f64().unwrap()
    };
    let (short, long) = (peak("5000"), peak("60000"));
    // Kept in memory, 55,000 responses more would be 6 MiB more.
    assert!(
        long - short < 3.0 * MIB,
        "{} MiB, then {} MiB",
        short / MIB,
        long / MIB
    );
    assert!(long < 64.0 * MIB, "{} MiB", long / MIB);
}
