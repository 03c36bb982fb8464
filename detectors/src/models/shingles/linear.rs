//! Sums and a factorisation that the models share, in an order of their own: a sum that is added up
//! in another order has other bits.

/// Sum of a function of pairs, in four interleaved sums; as many pairs as the shorter slice has.
#[inline]
pub(super) fn sum_of_pairs<T: Copy>(a: &[f64], b: &[T], of: impl Fn(f64, T) -> f64) -> f64 {
    let n = a.len().min(b.len());
    let ((a, a_rest), (b, b_rest)) = (a[..n].as_chunks::<4>(), b[..n].as_chunks::<4>());
    let mut sums = [0.0; 4];
    for (x, y) in a.iter().zip(b) {
        sums = std::array::from_fn(|lane| sums[lane] + of(x[lane], y[lane]));
    }
    let rest = a_rest.iter().zip(b_rest);
    let rest: f64 = rest.map(|(&x, &y)| of(x, y)).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// Inner product.
#[inline]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    sum_of_pairs(a, b, |x, y| x * y)
}

/// Inner product with numbers that are kept as `f32`.
#[inline]
pub(super) fn dot_f32(a: &[f64], b: &[f32]) -> f64 {
    sum_of_pairs(a, b, |x, y| x * f64::from(y))
}

/// Squared Euclidean distance to a point that is kept as `f32`.
#[inline]
pub(super) fn squared_distance_f32(a: &[f64], b: &[f32]) -> f64 {
    sum_of_pairs(a, b, |x, y| (x - f64::from(y)) * (x - f64::from(y)))
}

/// Column means of rows of `m` numbers.
pub(super) fn mean<'a>(rows: impl ExactSizeIterator<Item = &'a [f64]>, m: usize) -> Vec<f64> {
    let n = rows.len() as f64;
    let mut mean = vec![0.0; m];
    for row in rows {
        for (sum, x) in mean.iter_mut().zip(row) {
            *sum += x;
        }
    }
    for sum in &mut mean {
        *sum /= n;
    }
    mean
}

/// Covariance about `mean`, divided by the number of rows: `[m, m]` row by row, both triangles.
pub(super) fn covariance<'a>(
    rows: impl ExactSizeIterator<Item = &'a [f64]>,
    mean: &[f64],
) -> Vec<f64> {
    let (n, m) = (rows.len() as f64, mean.len());
    let mut sums = vec![0.0; m * m];
    let mut deviation = vec![0.0; m];
    for row in rows {
        for ((d, x), center) in deviation.iter_mut().zip(row).zip(mean) {
            *d = x - center;
        }
        for (i, &d) in deviation.iter().enumerate() {
            for (sum, &e) in sums[i * m..=i * m + i].iter_mut().zip(&deviation) {
                *sum += d * e;
            }
        }
    }
    for i in 0..m {
        for j in 0..=i {
            let value = sums[i * m + j] / n;
            sums[i * m + j] = value;
            sums[j * m + i] = value;
        }
    }
    sums
}

/// W with `W·C·Wᵀ = 1`, lower triangular, `[d, d]` row by row: the inverse of the Cholesky factor of
/// the symmetric `c`. `None` unless `c` is positive definite.
pub(super) fn whitening(c: &[f64], d: usize) -> Option<Vec<f64>> {
    let mut factor = vec![0.0; d * d];
    for i in 0..d {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| factor[i * d + k] * factor[j * d + k]).sum();
            let rest = c[i * d + j] - known;
            factor[i * d + j] = if i == j {
                if rest.is_nan() || rest <= 0.0 {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / factor[j * d + j]
            };
        }
    }
    let mut inverse = vec![0.0; d * d];
    for j in 0..d {
        for i in j..d {
            let known: f64 = (j..i).map(|k| factor[i * d + k] * inverse[k * d + j]).sum();
            let unit = if i == j { 1.0 } else { 0.0 };
            inverse[i * d + j] = (unit - known) / factor[i * d + i];
        }
    }
    inverse.iter().all(|x| x.is_finite()).then_some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_agree_with_the_plain_ones() {
        for n in 0..23_usize {
            let a: Vec<f64> = (0..n).map(|i| (i * 7 % 11) as f64 - 4.5).collect();
            let b: Vec<f64> = (0..n).map(|i| (i * 5 % 13) as f64 * 0.25).collect();
            let narrow: Vec<f32> = b.iter().map(|&x| x as f32).collect();
            let plain: f64 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
            let distance: f64 = a.iter().zip(&b).map(|(x, y)| (x - y) * (x - y)).sum();
            // All numbers are small multiples of 1/8: every sum is exact.
            assert_eq!((dot(&a, &b), dot_f32(&a, &narrow)), (plain, plain));
            assert_eq!(squared_distance_f32(&a, &narrow), distance);
        }
    }

    #[test]
    fn whitening_makes_the_covariance_one() {
        let c = [4.0, 2.0, 0.6, 2.0, 5.0, 1.0, 0.6, 1.0, 3.0];
        let w = whitening(&c, 3).unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let mut sum = 0.0;
                for k in 0..3 {
                    for l in 0..3 {
                        sum += w[i * 3 + k] * c[k * 3 + l] * w[j * 3 + l];
                    }
                }
                let unit = if i == j { 1.0 } else { 0.0 };
                assert!((sum - unit).abs() < 1e-14);
            }
        }
        assert_eq!(whitening(&[1.0, 2.0, 2.0, 1.0], 2), None);
        assert_eq!(whitening(&[f64::NAN], 1), None);
    }

    #[test]
    fn covariance_of_known_rows() {
        let rows = [[1.0, 2.0], [3.0, 6.0], [5.0, 4.0]];
        let rows = || rows.iter().map(|row| &row[..]);
        let mean = mean(rows(), 2);
        assert_eq!(mean, [3.0, 4.0]);
        let expected = [8.0 / 3.0, 4.0 / 3.0, 4.0 / 3.0, 8.0 / 3.0];
        assert_eq!(covariance(rows(), &mean), expected);
    }
}
