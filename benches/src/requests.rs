//! Requests as the bytes that go over the wire, written before the clock runs.

use std::ops::Range;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use service::store::training::TrainingPoints;

use crate::data;

/// A POST of `body`.
#[must_use]
pub fn post(target: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A GET.
#[must_use]
pub fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// A predict of one point.
#[must_use]
pub fn predict(series: &str, value: f64) -> Vec<u8> {
    let at = data::START + 3_600;
    post(
        &format!("/predict/{series}"),
        &format!(r#"{{"timestamp":"{at}","value":{value}}}"#),
    )
}

/// A fit of `points` with what else the body says, such as `"model":"robust"`.
#[must_use]
pub fn fit(series: &str, points: &TrainingPoints, more: Option<&str>) -> Vec<u8> {
    let more = more.map_or(String::new(), |more| format!(",{more}"));
    post(
        &format!("/fit/{series}"),
        &format!("{{{}{more}}}", columns_members(points)),
    )
}

/// A predict of columns; `query` is empty or starts with `?`.
#[must_use]
pub fn predict_columns(series: &str, query: &str, points: &TrainingPoints) -> Vec<u8> {
    post(
        &format!("/predict/{series}{query}"),
        &format!("{{{}}}", columns_members(points)),
    )
}

/// `"timestamps":[…],"values":[…]`
#[must_use]
pub fn columns_members(points: &TrainingPoints) -> String {
    let mut text = String::from("\"timestamps\":[");
    join(&mut text, &points.timestamps);
    text.push_str("],\"values\":[");
    join(&mut text, &points.values);
    text.push(']');
    text
}

fn join(text: &mut String, numbers: &[impl ToString]) {
    for (i, number) in numbers.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push_str(&number.to_string());
    }
}

/// One request for a random series of many: the digits of its id are written over a template.
pub struct AcrossSeries {
    template: Vec<u8>,
    digits: Range<usize>,
    series: Range<usize>,
    random: ChaCha8Rng,
}

impl AcrossSeries {
    /// Requests like `template`, which names series number 0, for the numbers in `series`.
    ///
    /// # Panics
    /// When the template does not name that series.
    #[must_use]
    pub fn new(template: Vec<u8>, series: Range<usize>, seed: u64) -> Self {
        let id = data::series_id(0);
        let at = template
            .windows(id.len())
            .position(|window| window == id.as_bytes())
            .expect("the template names series number 0");
        Self {
            digits: at + id.len() - 7..at + id.len(),
            template,
            series,
            random: data::generator(seed),
        }
    }

    /// Writes the next request.
    pub fn write(&mut self, out: &mut Vec<u8>) {
        let index = self.random.random_range(self.series.clone());
        self.write_for(index, out);
    }

    /// Writes the request for one series.
    pub fn write_for(&mut self, mut index: usize, out: &mut Vec<u8>) {
        for digit in self.template[self.digits.clone()].iter_mut().rev() {
            *digit = b'0' + (index % 10) as u8;
            index /= 10;
        }
        out.extend_from_slice(&self.template);
    }
}

/// Updates of random series, each with a later time than the one before: its digits are written over a
/// template.
pub struct Updates {
    requests: AcrossSeries,
    /// Where in the template the time's ten digits are.
    time: Range<usize>,
    now: i64,
}

impl Updates {
    /// Updates of series 0 to `n_series`.
    #[must_use]
    pub fn new(n_series: usize, seed: u64) -> Self {
        let time = data::START.to_string();
        let body = format!(r#"{{"timestamp":"{time}","value":20.123}}"#);
        let template = post(&format!("/update/{}", data::series_id(0)), &body);
        let at = template
            .windows(time.len())
            .position(|window| window == time.as_bytes());
        let at = at.expect("the template has a time");
        Self {
            requests: AcrossSeries::new(template, 0..n_series, seed),
            time: at..at + time.len(),
            now: data::START,
        }
    }

    /// The first time will be the one after `time`.
    pub fn begin_after(&mut self, time: i64) {
        self.now = time;
    }

    /// Writes the next request.
    pub fn write(&mut self, out: &mut Vec<u8>) {
        self.now += 1;
        let digits = self.now.to_string();
        self.requests.template[self.time.clone()].copy_from_slice(digits.as_bytes());
        self.requests.write(out);
    }
}
