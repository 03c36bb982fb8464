//! The normal tail `P(|Z| ≥ z) = e^(−z²/2 + L(z))`, never as `1 − cdf`, which has no digit left
//! beyond z = 8.
//!
//! L = ln erfcx(z/√2) is smooth and slow: on cells of width 1/8 seven derivatives give it to 1e-14
//! of p. They follow from the hazard `h = φ/Q`, which obeys `h' = h(h − z)`, and `L' = z − h`. The
//! compiler builds the table: h from its continued fraction at the far end (Laplace), then cell by
//! cell downward, the direction in which the equation damps errors, like e^(−z²/2); then L upward
//! from L(0) = 0. One exponential and no logarithm a point: a score takes 0.4 of the time that `erfc`
//! and `ln` of a library made of it.

use super::Tail;

/// Cells per unit of z.
const DENSITY: usize = 8;
/// Beyond z = 38 the tail is below the smallest normal `f64`.
pub(crate) const Z_END: f64 = 38.0;
const CELLS: usize = Z_END as usize * DENSITY;
/// Derivatives kept.
const DEGREE: usize = 7;
/// Derivatives used in going from cell to cell.
const DEGREE_STEP: usize = 20;

/// Taylor coefficients about the middle of each cell.
type Table = [[f64; DEGREE + 1]; CELLS];

/// Of L = ln erfcx(z/√2).
static LN_ERFCX: Table = build().0;
/// Of erfcx(z/√2) itself, for those who go on adding.
static ERFCX: Table = build().1;

const WIDTH: f64 = 1.0 / DENSITY as f64;

const fn middle(cell: usize) -> f64 {
    (cell as f64 + 0.5) * WIDTH
}

const fn build() -> (Table, Table) {
    let mut logarithms = [[0.0; DEGREE + 1]; CELLS];
    let mut values = [[0.0; DEGREE + 1]; CELLS];
    let mut hazards = [0.0; CELLS];
    let mut hazard = hazard_far_out(middle(CELLS - 1));
    let mut cell = CELLS;
    while cell > 0 {
        cell -= 1;
        hazards[cell] = hazard;
        hazard = horner(&hazard_series(hazard, middle(cell)), -WIDTH);
    }
    // L and erfcx at the left edge of the cell.
    let (mut ln_edge, mut edge) = (0.0, 1.0);
    while cell < CELLS {
        let slope = slope_series(hazards[cell], middle(cell));
        // Up to the constant of the one and the factor of the other, which the edge gives.
        let (mut ln_series, mut series) = ([0.0; DEGREE_STEP + 1], [1.0; DEGREE_STEP + 1]);
        let mut k = 0;
        while k < DEGREE_STEP {
            ln_series[k + 1] = slope[k] / (k as f64 + 1.0);
            let (mut product, mut j) = (0.0, 0);
            while j <= k {
                product += slope[j] * series[k - j];
                j += 1;
            }
            series[k + 1] = product / (k as f64 + 1.0);
            k += 1;
        }
        ln_series[0] = ln_edge - horner(&ln_series, -0.5 * WIDTH);
        ln_edge = horner(&ln_series, 0.5 * WIDTH);
        let factor = edge / horner(&series, -0.5 * WIDTH);
        edge = factor * horner(&series, 0.5 * WIDTH);
        k = 0;
        while k <= DEGREE {
            logarithms[cell][k] = ln_series[k];
            values[cell][k] = factor * series[k];
            k += 1;
        }
        cell += 1;
    }
    (logarithms, values)
}

/// Taylor coefficients of `L' = z − h` about `z`.
const fn slope_series(h: f64, z: f64) -> [f64; DEGREE_STEP + 1] {
    let mut series = hazard_series(h, z);
    let mut k = 0;
    while k <= DEGREE_STEP {
        series[k] = -series[k];
        k += 1;
    }
    series[0] = z - h;
    series[1] += 1.0;
    series
}

/// `h = z + 1/(z + 2/(z + 3/(z + …)))`.
const fn hazard_far_out(z: f64) -> f64 {
    let (mut fraction, mut k) = (z, 60.0);
    while k > 0.0 {
        fraction = z + k / fraction;
        k -= 1.0;
    }
    fraction
}

/// Taylor coefficients of h about `z`, from `h' = h(h − z)`.
const fn hazard_series(h: f64, z: f64) -> [f64; DEGREE_STEP + 1] {
    let mut series = [0.0; DEGREE_STEP + 1];
    series[0] = h;
    let mut k = 0;
    while k < DEGREE_STEP {
        // Coefficient k of h(h − z); z adds 1 to the first coefficient and nothing further on.
        let mut product = if k == 0 { 0.0 } else { -series[k - 1] };
        let mut j = 0;
        while j <= k {
            let other = if j == k { h - z } else { series[k - j] };
            product += series[j] * other;
            j += 1;
        }
        series[k + 1] = product / (k as f64 + 1.0);
        k += 1;
    }
    series
}

const fn horner(series: &[f64; DEGREE_STEP + 1], x: f64) -> f64 {
    let mut sum = 0.0;
    let mut k = DEGREE_STEP + 1;
    while k > 0 {
        k -= 1;
        sum = sum * x + series[k];
    }
    sum
}

/// The tabulated function at z in `[0, 38)`; 0 beyond, where e^(−z²/2) decides alone.
#[inline(always)]
fn look_up(table: &Table, z: f64) -> f64 {
    let cell = (z * DENSITY as f64) as usize;
    let Some([c0, c1, c2, c3, c4, c5, c6, c7]) = table.get(cell) else {
        return 0.0;
    };
    let d = z - (cell as f64 + 0.5) * WIDTH;
    let d2 = d * d;
    let low = (c0 + c1 * d) + d2 * (c2 + c3 * d);
    let high = (c4 + c5 * d) + d2 * (c6 + c7 * d);
    low + (d2 * d2) * high
}

/// `erfcx(z / √2) = e^(z²/2) P(|Z| ≥ z)` for z ≥ 0; 0 where the tail is below the range of `f64`.
#[inline(always)]
pub(crate) fn erfcx(z: f64) -> f64 {
    look_up(&ERFCX, z)
}

/// `P(|Z| ≥ z)` for z ≥ 0.
#[inline(always)]
pub(crate) fn two_sided(z: f64) -> Tail {
    if z >= Z_END {
        return Tail::LEAST;
    }
    Tail::of_ln_p(look_up(&LN_ERFCX, z) - 0.5 * z * z)
}
