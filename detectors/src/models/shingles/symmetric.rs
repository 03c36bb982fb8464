//! Eigenvectors of a symmetric matrix: Householder tridiagonalisation, then implicit QR steps with
//! Wilkinson's shift (Golub & Van Loan, *Matrix Computations*, 4th ed. 2013, algorithms 8.3.1 and
//! 8.3.2).
//!
//! Of this crate's own because of its promise that the same data give the same bytes: the matrix
//! products of the libraries choose their instructions by the processor they find.

use super::ShingleError;

/// QR steps per eigenvalue before giving up; two or three are usual.
const STEPS_MAX: usize = 40;
/// Off-diagonal entries below this are zero whatever their neighbours: the matrix is scaled to 1.
const NEGLIGIBLE: f64 = 1e-30;

/// Eigenvalues and eigenvectors, the largest first.
#[derive(Debug, Clone)]
pub(super) struct Eigen {
    pub(super) values: Vec<f64>,
    /// `[n, n]`, one unit vector a row.
    pub(super) vectors: Vec<f64>,
}

impl Eigen {
    /// Of the symmetric `[n, n]` matrix, row by row.
    ///
    /// # Errors
    ///
    /// When the steps do not converge, which a finite matrix has not been seen to do.
    pub(super) fn of(mut matrix: Vec<f64>, n: usize) -> Result<Self, ShingleError> {
        let largest = matrix.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        if !largest.is_finite() {
            return Err(ShingleError::NotConverged);
        }
        let scale = if largest > 0.0 { largest } else { 1.0 };
        for x in &mut matrix {
            *x /= scale;
        }
        let mut tridiagonal = Tridiagonal::of(matrix, n);
        tridiagonal.diagonalize()?;
        let Tridiagonal { diagonal, rows, .. } = tridiagonal;
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| diagonal[j].total_cmp(&diagonal[i]));
        Ok(Self {
            values: order.iter().map(|&i| diagonal[i] * scale).collect(),
            vectors: order
                .iter()
                .flat_map(|&i| &rows[i * n..(i + 1) * n])
                .copied()
                .collect(),
        })
    }
}

/// T and Qᵀ with A = Q·T·Qᵀ.
struct Tridiagonal {
    n: usize,
    diagonal: Vec<f64>,
    /// One shorter than the diagonal.
    off: Vec<f64>,
    /// Qᵀ, whose rows become the eigenvectors.
    rows: Vec<f64>,
}

impl Tridiagonal {
    fn of(mut a: Vec<f64>, n: usize) -> Self {
        let mut off = vec![0.0; n.saturating_sub(1)];
        let mut rows = vec![0.0; n * n];
        for i in 0..n {
            rows[i * n + i] = 1.0;
        }
        let mut along = vec![0.0; n];
        for k in 0..n.saturating_sub(1) {
            let mut v: Vec<f64> = (k + 1..n).map(|i| a[i * n + k]).collect();
            let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
            off[k] = if v[0] > 0.0 { -norm } else { norm };
            v[0] -= off[k];
            let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
            if length == 0.0 {
                continue;
            }
            for x in &mut v {
                *x /= length;
            }
            reflect_both_sides(&mut a, n, k + 1, &v);
            // Qᵀ ← H·Qᵀ.
            along.fill(0.0);
            for (i, x) in v.iter().enumerate() {
                add_scaled(&mut along, &rows[(k + 1 + i) * n..][..n], *x);
            }
            for (i, x) in v.iter().enumerate() {
                add_scaled(&mut rows[(k + 1 + i) * n..][..n], &along, -2.0 * x);
            }
        }
        Self {
            n,
            diagonal: (0..n).map(|i| a[i * n + i]).collect(),
            off,
            rows,
        }
    }

    fn diagonalize(&mut self) -> Result<(), ShingleError> {
        let mut high = self.n.saturating_sub(1);
        let mut steps = 0;
        while high > 0 {
            if self.splits(high - 1) {
                high -= 1;
                continue;
            }
            let mut low = high - 1;
            while low > 0 && !self.splits(low - 1) {
                low -= 1;
            }
            if steps == STEPS_MAX * self.n {
                return Err(ShingleError::NotConverged);
            }
            steps += 1;
            self.step(low, high);
        }
        Ok(())
    }

    /// Whether entry `i` beside the diagonal is as good as zero. Not a number is, so that the loop
    /// ends.
    fn splits(&self, i: usize) -> bool {
        let beside = self.diagonal[i].abs() + self.diagonal[i + 1].abs();
        let small = (f64::EPSILON * beside).max(NEGLIGIBLE);
        self.off[i].is_nan() || self.off[i].abs() <= small
    }

    /// One implicit QR step on the block `low..=high`.
    fn step(&mut self, low: usize, high: usize) {
        let (d, e) = (&mut self.diagonal, &mut self.off);
        let half = 0.5 * (d[high - 1] - d[high]);
        let last = e[high - 1];
        let root = (half * half + last * last).sqrt();
        let shift = d[high] - last * last / (half + if half < 0.0 { -root } else { root });
        let (mut x, mut z) = (d[low] - shift, e[low]);
        for k in low..high {
            let r = (x * x + z * z).sqrt();
            let (c, s) = if r > 0.0 { (x / r, -z / r) } else { (1.0, 0.0) };
            if k > low {
                e[k - 1] = r;
            }
            let (p, q, b) = (d[k], d[k + 1], e[k]);
            d[k] = c * c * p - 2.0 * c * s * b + s * s * q;
            d[k + 1] = s * s * p + 2.0 * c * s * b + c * c * q;
            e[k] = c * s * (p - q) + (c * c - s * s) * b;
            if k + 1 < high {
                x = e[k];
                z = -s * e[k + 1];
                e[k + 1] *= c;
            }
            let (upper, lower) = self.rows[k * self.n..].split_at_mut(self.n);
            for (u, l) in upper.iter_mut().zip(lower) {
                (*u, *l) = (c * *u - s * *l, s * *u + c * *l);
            }
        }
    }
}

/// A ← H·A·H on the rows and columns from `first`, with H = 1 − 2·v·vᵀ.
fn reflect_both_sides(a: &mut [f64], n: usize, first: usize, v: &[f64]) {
    let mut w: Vec<f64> = (first..n)
        .map(|i| super::linear::dot(&a[i * n + first..(i + 1) * n], v))
        .collect();
    let inner = super::linear::dot(&w, v);
    add_scaled(&mut w, v, -inner);
    for (i, (x, y)) in v.iter().zip(&w).enumerate() {
        let row = &mut a[(first + i) * n + first..(first + i + 1) * n];
        add_scaled(row, &w, -2.0 * x);
        add_scaled(row, v, -2.0 * y);
    }
}

#[inline]
fn add_scaled(to: &mut [f64], from: &[f64], factor: f64) {
    for (x, y) in to.iter_mut().zip(from) {
        *x += factor * y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn residual(matrix: &[f64], n: usize, eigen: &Eigen) -> f64 {
        let mut worst = 0.0_f64;
        for (i, v) in eigen.vectors.chunks_exact(n).enumerate() {
            for (j, row) in matrix.chunks_exact(n).enumerate() {
                let product: f64 = row.iter().zip(v).map(|(a, x)| a * x).sum();
                worst = worst.max((product - eigen.values[i] * v[j]).abs());
            }
            for (j, u) in eigen.vectors.chunks_exact(n).enumerate() {
                let unit = if i == j { 1.0 } else { 0.0 };
                let product: f64 = u.iter().zip(v).map(|(a, x)| a * x).sum();
                worst = worst.max((product - unit).abs());
            }
        }
        worst
    }

    #[test]
    fn known_matrices() {
        let eigen = Eigen::of(vec![2.0, 1.0, 1.0, 2.0], 2).unwrap();
        assert!((eigen.values[0] - 3.0).abs() < 1e-15 && (eigen.values[1] - 1.0).abs() < 1e-15);
        // Second differences: 2 − 2 cos(kπ / (n + 1)).
        let n = 50;
        let mut matrix = vec![0.0; n * n];
        for i in 0..n {
            matrix[i * n + i] = 2.0;
            if i > 0 {
                matrix[i * n + i - 1] = -1.0;
                matrix[(i - 1) * n + i] = -1.0;
            }
        }
        let eigen = Eigen::of(matrix, n).unwrap();
        for (k, value) in eigen.values.iter().rev().enumerate() {
            let angle = (k + 1) as f64 * std::f64::consts::PI / (n + 1) as f64;
            assert!((value - (2.0 - 2.0 * libm::cos(angle))).abs() < 1e-13);
        }
    }

    #[test]
    fn nothing_and_what_is_not_finite() {
        assert!(Eigen::of(vec![0.0; 9], 3).unwrap().values == [0.0; 3]);
        assert_eq!(Eigen::of(vec![5.0], 1).unwrap().values, [5.0]);
        assert!(Eigen::of(vec![], 0).unwrap().values.is_empty());
        assert!(Eigen::of(vec![f64::INFINITY], 1).is_err());
    }

    proptest! {
        #[test]
        fn vectors_are_eigenvectors(
            n in 1_usize..24,
            rank in 1_usize..30,
            entries in proptest::collection::vec(-1.0_f64..1.0, 24 * 30),
        ) {
            let mut matrix = vec![0.0; n * n];
            for i in 0..n {
                for j in 0..n {
                    let product = |k: usize| entries[i * 30 + k] * entries[j * 30 + k];
                    matrix[i * n + j] = (0..rank).map(product).sum();
                }
            }
            let eigen = Eigen::of(matrix.clone(), n).unwrap();
            prop_assert!(residual(&matrix, n, &eigen) < 1e-12);
            prop_assert!(eigen.values.windows(2).all(|pair| pair[0] >= pair[1]));
        }
    }
}
