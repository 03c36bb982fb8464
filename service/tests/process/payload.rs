//! Fit bodies: each mark makes a model of its own, so that a hash tells which fit it came from.

/// A history of `n` points that only `mark` makes.
pub(crate) fn fit(mark: u64, n: usize) -> Vec<u8> {
    let timestamps: Vec<usize> = (1..=n).map(|i| 60 * i).collect();
    let values: Vec<f64> = (0..n)
        .map(|i| 10.0 + ((i * 7_919 + 13) % 1_000) as f64 / 100.0)
        .chain([1_000.0 + mark as f64])
        .skip(1)
        .collect();
    serde_json::json!({ "timestamps": timestamps, "values": values, "model": "gaussian" })
        .to_string()
        .into_bytes()
}

/// A point whose reply carries version and hash.
pub(crate) const POINT: &[u8] = br#"{"timestamp":"1769846400","value":12.5}"#;
