//! Prometheus' text format, as far as counters, gauges and the sums of histograms need it
//! ([text-based format 0.0.4](https://prometheus.io/docs/instrumenting/exposition_formats/)).

/// The samples of one reading.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Exposition {
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Exposition {
    /// Reads a page; none when it is something else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let samples = lines.map(sample).collect::<Option<Vec<_>>>()?;
        (!samples.is_empty()).then_some(Self { samples })
    }

    /// The sum over all labels; none when there is no sample of the name.
    pub(super) fn sum(&self, name: &str) -> Option<f64> {
        self.named(name)
            .map(|sample| sample.value)
            .reduce(|a, b| a + b)
    }

    /// Values with those of two labels; what lacks one is left out.
    pub(super) fn by<'a>(
        &'a self,
        name: &'a str,
        [first, second]: [&'a str; 2],
    ) -> impl Iterator<Item = (&'a str, &'a str, f64)> {
        self.named(name).filter_map(move |sample| {
            Some((sample.label(first)?, sample.label(second)?, sample.value))
        })
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.name == name)
    }
}

impl Sample {
    fn label(&self, name: &str) -> Option<&str> {
        let label = self.labels.iter().find(|(label, _)| label == name);
        label.map(|(_, value)| value.as_str())
    }
}

/// `name{label="value",…} value [timestamp]`
fn sample(line: &str) -> Option<Sample> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, mut rest) = line.split_at(end);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = read_labels(inner, &mut labels)?;
    }
    let value = rest.split_whitespace().next()?;
    Some(Sample {
        name: name.to_owned(),
        labels,
        // Rust reads `+Inf` and `NaN` too.
        value: value.parse().ok()?,
    })
}

/// Reads up to the closing brace and gives what follows it.
fn read_labels<'a>(mut rest: &'a str, labels: &mut Vec<(String, String)>) -> Option<&'a str> {
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some(after);
        }
        let (name, quoted) = rest.split_once('=')?;
        let quoted = quoted.trim_start().strip_prefix('"')?;
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        loop {
            match chars.next()? {
                (i, '"') => {
                    rest = &quoted[i + 1..];
                    break;
                }
                (_, '\\') => value.push(match chars.next()? {
                    (_, 'n') => '\n',
                    (_, escaped) => escaped,
                }),
                (_, c) => value.push(c),
            }
        }
        labels.push((name.trim().to_owned(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"
# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{method="post",route="/fit/{id}",status="200"} 1027 1395066363000
requests_total{ route = "a\"b\\c\nd,}" , status="503",} 3
in_flight 7
seconds_bucket{le="+Inf"} 9
ratio NaN
"#;

    #[test]
    fn samples_have_names_labels_and_values() {
        let page = Exposition::parse(PAGE).unwrap();
        assert_eq!(page.sum("in_flight"), Some(7.0));
        assert_eq!(page.sum("requests_total"), Some(1_030.0));
        assert_eq!(page.sum("other"), None);
        let by: Vec<_> = page.by("requests_total", ["route", "status"]).collect();
        assert_eq!(
            by,
            [("/fit/{id}", "200", 1_027.0), ("a\"b\\c\nd,}", "503", 3.0)]
        );
    }

    #[test]
    fn what_is_no_metrics_is_none() {
        for other in [
            "",
            "# a comment alone",
            "<!doctype html><p>",
            "{\"status\":\"ok\"}",
            "x{a=\"b} 1",
            "x{a=\"b\"}",
            "Not found",
        ] {
            assert_eq!(Exposition::parse(other), None, "{other}");
        }
    }
}
