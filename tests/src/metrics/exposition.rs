//! Reads the text formats of Prometheus and OpenMetrics, strictly: what a scraper forgives is an error here.

use std::collections::{BTreeMap, BTreeSet};

/// What a server tells of itself.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    /// Name to type.
    pub(crate) families: BTreeMap<String, String>,
    /// Name and labels, as they stand, to value.
    pub(crate) samples: BTreeMap<String, f64>,
}

/// A sample's name and labels.
pub(crate) fn split(sample: &str) -> (&str, BTreeMap<&str, &str>) {
    let Some((name, labels)) = sample.split_once('{') else {
        return (sample, BTreeMap::new());
    };
    // None of our values has a comma or a quote in it.
    let labels = labels.trim_end_matches('}').split(',');
    let pairs = labels.filter_map(|label| label.split_once('='));
    let pairs = pairs.map(|(label, value)| (label, value.trim_matches('"')));
    (name, pairs.collect())
}

impl Exposition {
    /// Reads `text`.
    ///
    /// # Errors
    /// What is wrong with which line.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut read = Self::default();
        let mut helped = BTreeSet::new();
        let mut current = String::new();
        for line in text.lines() {
            let wrong = |what: &str| Err(format!("{what}: {line}"));
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let Some((name, help)) = rest.split_once(' ') else {
                    return wrong("no help");
                };
                if help.trim().is_empty() || !helped.insert(name.to_owned()) {
                    return wrong("no help, or a second one");
                }
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let Some((name, kind)) = rest.split_once(' ') else {
                    return wrong("no type");
                };
                if !helped.contains(name) {
                    return wrong("a type without a help before it");
                }
                current = name.to_owned();
                if read
                    .families
                    .insert(current.clone(), kind.to_owned())
                    .is_some()
                {
                    return wrong("a second type");
                }
            } else if line.starts_with('#') {
                if line != "# EOF" {
                    return wrong("a comment");
                }
            } else {
                read.sample(&current, line)?;
            }
        }
        let described = helped.iter().all(|name| read.families.contains_key(name));
        if !described {
            return Err("a help without a type".into());
        }
        read.check_histograms()?;
        Ok(read)
    }

    fn sample(&mut self, family: &str, line: &str) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("{what}: {line}"));
        let Some((sample, value)) = line.rsplit_once(' ') else {
            return wrong("no value");
        };
        let Ok(value) = value.parse::<f64>() else {
            return wrong("no number");
        };
        let (name, labels) = split(sample);
        let suffix = name.strip_prefix(family);
        let of_family = match self.families.get(family).map(String::as_str) {
            Some("counter") => {
                name.ends_with("_total") && matches!(suffix, Some("" | "_total")) && value >= 0.0
            }
            Some("gauge") => suffix == Some("") && !name.ends_with("_total"),
            Some("info") => suffix == Some("_info"),
            Some("histogram") => {
                let is_bucket = suffix == Some("_bucket");
                is_bucket == labels.contains_key("le")
                    && (is_bucket || matches!(suffix, Some("_sum" | "_count")))
            }
            _ => false,
        };
        if !of_family {
            return wrong("no sample of the family before it");
        }
        if self.samples.insert(sample.to_owned(), value).is_some() {
            return wrong("a second value");
        }
        Ok(())
    }

    /// Buckets do not decrease, and the last one is the count.
    fn check_histograms(&self) -> Result<(), String> {
        let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (sample, value) in &self.samples {
            let (name, mut labels) = split(sample);
            let Some(bound) = labels.remove("le") else {
                continue;
            };
            let Ok(bound) = bound.replace("+Inf", "inf").parse() else {
                return Err(format!("no bound: {sample}"));
            };
            let of = format!("{} {labels:?}", name.trim_end_matches("_bucket"));
            buckets.entry(of).or_default().push((bound, *value));
        }
        for (sample, value) in &self.samples {
            let (name, labels) = split(sample);
            let of = format!("{} {labels:?}", name.trim_end_matches("_count"));
            let (true, Some(mut buckets)) = (name.ends_with("_count"), buckets.remove(&of)) else {
                continue;
            };
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            let last = buckets.last().copied().unwrap_or_default();
            if !buckets.is_sorted_by_key(|bucket| bucket.1) || last != (f64::INFINITY, *value) {
                return Err(format!("the buckets of {of} do not add up: {buckets:?}"));
            }
        }
        match buckets.into_keys().next() {
            Some(of) => Err(format!("buckets without a count: {of}")),
            None => Ok(()),
        }
    }

    /// The sum of the samples called `name` whose labels are among those asked for.
    pub(crate) fn sum(&self, name: &str, with: &[(&str, &str)]) -> f64 {
        let matching = self.samples.iter().filter(|(sample, _)| {
            let (of, labels) = split(sample);
            let has = |(label, value): &(&str, &str)| labels.get(label) == Some(value);
            of == name && with.iter().all(has)
        });
        matching.map(|(_, value)| value).sum()
    }
}

const GOOD: &str = "# HELP a_total how often\n# TYPE a_total counter\na_total{b=\"c\"} 1\n\
    # HELP d what\n# TYPE d gauge\nd -0.5\n\
    # HELP e how long\n# TYPE e histogram\ne_sum 2.5\ne_count 3\ne_bucket{le=\"1.0\"} 2\ne_bucket{le=\"+Inf\"} 3\n";

#[test]
fn a_good_text_is_read() {
    let read = Exposition::read(GOOD).unwrap();
    assert_eq!(read.families.len(), 3);
    assert_eq!(read.sum("a_total", &[("b", "c")]), 1.0);
}

/// The control of every test that reads the metrics.
#[test]
fn a_seeded_bad_line_is_caught() {
    for (good, bad) in [
        ("# HELP a_total how often\n", ""),
        ("# HELP d what", "# HELP d "),
        ("# TYPE d gauge\n", ""),
        ("a_total{b=\"c\"} 1", "a_total{b=\"c\"} one"),
        ("a_total{b=\"c\"} 1", "a{b=\"c\"} 1"),
        (
            "a_total{b=\"c\"} 1",
            "a_total{b=\"c\"} 1\na_total{b=\"c\"} 1",
        ),
        ("a_total{b=\"c\"} 1", "a_total{b=\"c\"} -1"),
        ("d -0.5", "d_total -0.5"),
        ("d -0.5", "x -0.5"),
        ("e_count 3", "e_count 2"),
        ("e_count 3\n", ""),
        ("le=\"1.0\"} 2", "le=\"1.0\"} 4"),
        ("le=\"1.0\"} 2", "le=\"one\"} 2"),
    ] {
        let seeded = GOOD.replacen(good, bad, 1);
        assert_ne!(seeded, GOOD);
        assert!(Exposition::read(&seeded).is_err(), "{bad:?} for {good:?}");
    }
}
