//! The discrete Fourier transform of real data, with the same bits on every machine.
//!
//! `X[k] = Σ x[t]·e^(−2πi·k·t/n)` for n a power of two: the even and odd points as one complex series
//! of half the length, transformed by Stockham's self-sorting radix-2 passes (Cochran et al., *What is
//! the fast Fourier transform?*, Proc. IEEE 55, 1967), then taken apart.
//!
//! Written here because the crates that do this take their roots of unity from the C library, and
//! the wide ones choose AVX, SSE or scalar code while they run: both differ in the last bit from
//! machine to machine, and a period decides which model is fitted. Here roots come from `libm`, and
//! the passes are additions and products in a fixed order.

/// Transform of a fixed length, with its roots of unity and its scratch.
#[derive(Debug, Clone)]
pub(crate) struct Fourier {
    /// Number of real points, a power of two, at least 4.
    len: usize,
    /// `e^(−2πi·k/len)` for k below `len / 2`.
    roots: Vec<(f64, f64)>,
    re: Vec<f64>,
    im: Vec<f64>,
    scratch_re: Vec<f64>,
    scratch_im: Vec<f64>,
}

impl Fourier {
    /// A transform of the power of two that is not below `at_least`.
    pub(crate) fn new(at_least: usize) -> Self {
        let len = at_least.next_power_of_two().max(4);
        let half = len / 2;
        let roots = (0..half)
            .map(|k| {
                let (sin, cos) = libm::sincos(-std::f64::consts::TAU * k as f64 / len as f64);
                (cos, sin)
            })
            .collect();
        Self {
            len,
            roots,
            re: vec![0.0; half],
            im: vec![0.0; half],
            scratch_re: vec![0.0; half],
            scratch_im: vec![0.0; half],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// `X[k]`, real and imaginary part, for k from 0 to `len / 2`, of points followed by zeros.
    pub(crate) fn spectrum(&mut self, points: &[f64]) -> Vec<(f64, f64)> {
        self.load(points);
        let half = self.len / 2;
        (0..=half).map(|k| self.untangled(k)).collect()
    }

    /// The real series, times `len`, whose [`spectrum`](Self::spectrum) this is.
    ///
    /// With `X = a + i·b`, a even and b odd, it is `Σ a·cos − b·sin`: the real part of the transform of
    /// the real series `a + b`, plus its imaginary part (Bracewell, *Discrete Hartley transform*,
    /// JOSA 73, 1983).
    pub(crate) fn series(&mut self, spectrum: &[(f64, f64)]) -> Vec<f64> {
        let (len, half) = (self.len, self.len / 2);
        let sum = |k: usize| {
            if k <= half {
                spectrum[k].0 + spectrum[k].1
            } else {
                spectrum[len - k].0 - spectrum[len - k].1
            }
        };
        for t in 0..half {
            self.re[t] = sum(2 * t);
            self.im[t] = sum(2 * t + 1);
        }
        self.transform();
        let at = |t: usize| {
            let (even, odd) = self.untangled(t.min(len - t));
            if t <= half { even + odd } else { even - odd }
        };
        (0..len).map(at).collect()
    }

    /// `|X[k]|²` for k from 0 to `len / 2`, of points followed by zeros.
    pub(crate) fn power(&mut self, points: &[f64]) -> Vec<f64> {
        self.load(points);
        let half = self.len / 2;
        (0..=half)
            .map(|k| {
                let (re, im) = self.untangled(k);
                re * re + im * im
            })
            .collect()
    }

    /// `Σ s[k]·cos(2π·k·t/len)` over all `len` bins for t from 0 to `len / 2`, of a spectrum that
    /// is real and even and given for k from 0 to `len / 2`: the autocorrelation, not normalised.
    pub(crate) fn cosines(&mut self, spectrum: &[f64]) -> Vec<f64> {
        let half = self.len / 2;
        let bin = |k: usize| spectrum[if k <= half { k } else { self.len - k }];
        for t in 0..half {
            self.re[t] = bin(2 * t);
            self.im[t] = bin(2 * t + 1);
        }
        self.transform();
        (0..=half).map(|k| self.untangled(k).0).collect()
    }

    /// Transforms points, followed by zeros, as half as many complex ones.
    fn load(&mut self, points: &[f64]) {
        let point = |t: usize| points.get(t).copied().unwrap_or(0.0);
        for t in 0..self.len / 2 {
            self.re[t] = point(2 * t);
            self.im[t] = point(2 * t + 1);
        }
        self.transform();
    }

    /// Bin k of the real series from the transform of its even and odd points.
    fn untangled(&self, k: usize) -> (f64, f64) {
        let half = self.len / 2;
        let (a, b) = (k % half, (half - k) % half);
        let (even_re, even_im) = (
            0.5 * (self.re[a] + self.re[b]),
            0.5 * (self.im[a] - self.im[b]),
        );
        let (odd_re, odd_im) = (
            0.5 * (self.im[a] + self.im[b]),
            0.5 * (self.re[b] - self.re[a]),
        );
        let (cos, sin) = if k < half { self.roots[k] } else { (-1.0, 0.0) };
        (
            even_re + cos * odd_re - sin * odd_im,
            even_im + cos * odd_im + sin * odd_re,
        )
    }

    /// Complex transform of `re`, `im` in place.
    fn transform(&mut self) {
        let half = self.len / 2;
        let (mut blocks, mut stride) = (half / 2, 1);
        while blocks > 0 {
            for block in 0..blocks {
                // The roots are those of `len`, twice as fine as those of this transform.
                let (cos, sin) = self.roots[2 * stride * block];
                let (from, to) = (stride * block, 2 * stride * block);
                let (a_re, b_re) = (
                    &self.re[from..from + stride],
                    &self.re[from + half / 2..][..stride],
                );
                let (a_im, b_im) = (
                    &self.im[from..from + stride],
                    &self.im[from + half / 2..][..stride],
                );
                let (sum_re, difference_re) =
                    self.scratch_re[to..to + 2 * stride].split_at_mut(stride);
                let (sum_im, difference_im) =
                    self.scratch_im[to..to + 2 * stride].split_at_mut(stride);
                for i in 0..stride {
                    let (re, im) = (a_re[i] - b_re[i], a_im[i] - b_im[i]);
                    sum_re[i] = a_re[i] + b_re[i];
                    sum_im[i] = a_im[i] + b_im[i];
                    difference_re[i] = re * cos - im * sin;
                    difference_im[i] = re * sin + im * cos;
                }
            }
            std::mem::swap(&mut self.re, &mut self.scratch_re);
            std::mem::swap(&mut self.im, &mut self.scratch_im);
            blocks /= 2;
            stride *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(n: usize) -> Vec<f64> {
        (0..n).map(|t| ((t * 37) % 101) as f64 - 50.0).collect()
    }

    #[test]
    fn power_agrees_with_the_definition() {
        for n in [1, 3, 4, 7, 16, 50, 128] {
            let points = points(n);
            let mut fourier = Fourier::new(n);
            let len = fourier.len();
            let power = fourier.power(&points);
            assert_eq!(power.len(), len / 2 + 1);
            for (k, &found) in power.iter().enumerate() {
                let (mut re, mut im) = (0.0, 0.0);
                for (t, &point) in points.iter().enumerate() {
                    let angle = std::f64::consts::TAU * ((k * t) % len) as f64 / len as f64;
                    re += point * libm::cos(angle);
                    im += point * libm::sin(angle);
                }
                let expected = re * re + im * im;
                assert!(
                    (found - expected).abs() < 1e-9 * (1.0 + expected),
                    "{n} {k}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn a_series_comes_back_from_its_spectrum() {
        for n in [4, 16, 128] {
            let points = points(n);
            let mut fourier = Fourier::new(n);
            let spectrum = fourier.spectrum(&points);
            let back = fourier.series(&spectrum);
            for (point, back) in points.iter().zip(&back) {
                let found = back / n as f64;
                assert!((found - point).abs() < 1e-12, "{n}: {found} {point}");
            }
        }
    }

    #[test]
    fn power_is_that_of_the_spectrum() {
        let mut fourier = Fourier::new(50);
        let spectrum = fourier.spectrum(&points(50));
        let of_spectrum = spectrum.into_iter().map(|(re, im)| re * re + im * im);
        assert_eq!(of_spectrum.collect::<Vec<_>>(), fourier.power(&points(50)));
    }

    /// Wiener–Khinchin: the transform of the power is the autocorrelation.
    #[test]
    fn cosines_of_the_power_are_sums_of_products() {
        let points = points(50);
        let mut fourier = Fourier::new(100);
        let power = fourier.power(&points);
        let products = fourier.cosines(&power);
        for lag in 0..50 {
            let expected: f64 = (0..50 - lag).map(|t| points[t] * points[t + lag]).sum();
            let found = products[lag] / fourier.len() as f64;
            assert!((found - expected).abs() < 1e-8, "{lag}: {found} {expected}");
        }
    }
}
