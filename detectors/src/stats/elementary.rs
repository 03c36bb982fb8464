//! exp, ln and the arc cotangent, fast enough for a score and with the same bits on every machine.
//!
//! Table and short polynomial (Tang, *Table-driven implementation of the exponential function*,
//! ACM TOMS 15, 1989, and *… of the logarithm function*, ACM TOMS 16, 1990). What differs here: no
//! special cases, since the arguments are probabilities and their logarithms, and no last half
//! unit in the last place; the relative error of exp, and the error of ln
//! absolute or relative, is below 1e-15. The tables are built by the compiler.

use std::f64::consts::LN_2;

/// Both tables divide an octave into 128 cells.
const CELLS: usize = 128;
const CELL_BITS: u32 = 52 - CELLS.trailing_zeros();

/// `2^(i / 128)`.
static POWERS: [f64; CELLS] = {
    let mut powers = [1.0; CELLS];
    let mut i = 1;
    while i < CELLS {
        let x = i as f64 * (LN_2 / CELLS as f64);
        // Horner from the last term that matters: x < 0.7.
        let (mut sum, mut k) = (1.0, 20.0);
        while k > 0.0 {
            sum = 1.0 + sum * x / k;
            k -= 1.0;
        }
        powers[i] = sum;
        i += 1;
    }
    powers
};

/// Per cell of the mantissa, counted from [`FIRST_CELL`]: the inverse of a point in it, and the
/// logarithm of that point.
static INVERSES: [(f64, f64); CELLS] = {
    let mut cells = [(1.0, 0.0); CELLS];
    let mut i = 0;
    while i < CELLS {
        let left = f64::from_bits(FIRST_CELL + ((i as u64) << CELL_BITS));
        let right = f64::from_bits(FIRST_CELL + ((i as u64 + 1) << CELL_BITS));
        // The two cells that meet at 1 keep the point 1, so that ln has relative accuracy there.
        if left != 1.0 && right != 1.0 {
            let inverse = 2.0 / (left + right);
            cells[i] = (inverse, -ln_series(inverse));
        }
        i += 1;
    }
    cells
};

/// Bits of 0.6875: reduced arguments lie in `[0.6875, 1.375)`, around 1.
const FIRST_CELL: u64 = 0x3FE6_0000_0000_0000;

/// `2 artanh((x − 1) / (x + 1))` for x near 1.
const fn ln_series(x: f64) -> f64 {
    let y = (x - 1.0) / (x + 1.0);
    let (mut sum, mut k) = (0.0, 35.0);
    while k > 0.0 {
        sum = sum * y * y + 1.0 / k;
        k -= 2.0;
    }
    2.0 * y * sum
}

/// 1.5·2^52: adding it rounds what is below 2^51 to an integer and leaves that in the low bits.
pub(crate) const ROUND: f64 = 6_755_399_441_055_744.0;

/// Clamps x; unlike `f64::clamp` it costs one instruction a side, because NaN is not kept.
#[inline(always)]
pub(crate) fn within(x: f64, low: f64, high: f64) -> f64 {
    let x = if x > low { x } else { low };
    if x < high { x } else { high }
}

/// `e^x` for x in `[ln(f64::MIN_POSITIVE), 709]`; beyond, the value at the nearer end.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    /// ln 2 / 128 in two parts; products of the first with 18-bit integers are exact.
    const STEP: f64 = f64::from_bits((LN_2 / CELLS as f64).to_bits() & !0xFFFF_FFFF);
    // ln 2 itself is rounded: 2.3e-17 is what is missing from it.
    const STEP_REST: f64 = (LN_2 / CELLS as f64 - STEP) + 2.319_046_813_846_3e-17 / CELLS as f64;

    let x = within(x, super::LN_P_MIN, 709.0);
    let shifted = x * (CELLS as f64 / LN_2) + ROUND;
    let steps = shifted - ROUND;
    let index = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    let r = (x - steps * STEP) - steps * STEP_REST;
    let power = POWERS[index as usize % CELLS];
    let scaled = f64::from_bits(power.to_bits().wrapping_add((index >> 7) << 52));
    let r2 = r * r;
    let growth = r + r2 * ((0.5 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * (1.0 / 120.0)));
    scaled + scaled * growth
}

/// `ln x` for x positive, finite and not subnormal.
#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let offset = bits.wrapping_sub(FIRST_CELL);
    let octave = (offset as i64 >> 52) as f64;
    let reduced = f64::from_bits(bits.wrapping_sub(offset & (0xFFF << 52)));
    let (inverse, ln_cell) = INVERSES[(offset >> CELL_BITS) as usize % CELLS];
    let r = reduced * inverse - 1.0;
    let r2 = r * r;
    let series =
        (-0.5 + r * (1.0 / 3.0)) + r2 * ((-0.25 + r * 0.2) + r2 * (-1.0 / 6.0 + r * (1.0 / 7.0)));
    (octave * LN_2 + ln_cell) + (r + r2 * series)
}

/// `ln(1 + x)` for finite x ≥ 0, with relative accuracy.
#[inline(always)]
pub(crate) fn ln_1p(x: f64) -> f64 {
    let sum = 1.0 + x;
    ln(sum) + (x - (sum - 1.0)) / sum
}

/// Cells of `arc_cotangent`, and its Taylor coefficients in `q = 1 / (1 + u)` about their middles.
const ARC_CELLS: usize = 64;
static ARC: [[f64; 8]; ARC_CELLS] = {
    let mut table = [[0.0; 8]; ARC_CELLS];
    // The angle at the left edge of the cell; at q = 0 it is 0.
    let mut edge = 0.0;
    let mut cell = 0;
    while cell < ARC_CELLS {
        let series = arc_series((cell as f64 + 0.5) / ARC_CELLS as f64);
        let (mut to_left, mut to_right, mut k) = (0.0, 0.0, series.len());
        while k > 0 {
            k -= 1;
            to_left = to_left * (-0.5 / ARC_CELLS as f64) + series[k];
            to_right = to_right * (0.5 / ARC_CELLS as f64) + series[k];
        }
        table[cell][0] = edge - to_left;
        edge += to_right - to_left;
        k = 1;
        while k < 8 {
            table[cell][k] = series[k];
            k += 1;
        }
        cell += 1;
    }
    table
};

/// Taylor coefficients about `q`, save the constant, of the angle with `d angle / dq = 1 / (q² + (1 − q)²)`.
const fn arc_series(q: f64) -> [f64; 16] {
    // The denominator is a + b d + 2 d² at q + d; the quotient 1 / that by long division.
    let (a, b) = (q * q + (1.0 - q) * (1.0 - q), 4.0 * q - 2.0);
    let mut slope = [0.0; 15];
    slope[0] = 1.0 / a;
    slope[1] = -b * slope[0] / a;
    let mut series = [0.0; 16];
    series[1] = slope[0];
    series[2] = slope[1] / 2.0;
    let mut k = 2;
    while k < 15 {
        slope[k] = -(b * slope[k - 1] + 2.0 * slope[k - 2]) / a;
        series[k + 1] = slope[k] / (k as f64 + 1.0);
        k += 1;
    }
    series
}

/// `atan(1 / u)` for u ≥ 0, to 1e-14 absolute: as a function of `1 / (1 + u)`, in which it is smooth
/// from one end to the other, so that no argument has to be told from its inverse.
#[inline(always)]
pub(crate) fn arc_cotangent(u: f64) -> f64 {
    let q = 1.0 / (1.0 + u);
    let cell = ((q * ARC_CELLS as f64) as usize).min(ARC_CELLS - 1);
    let [c0, c1, c2, c3, c4, c5, c6, c7] = ARC[cell];
    let d = q - (cell as f64 + 0.5) / ARC_CELLS as f64;
    let d2 = d * d;
    ((c0 + c1 * d) + d2 * (c2 + c3 * d)) + (d2 * d2) * ((c4 + c5 * d) + d2 * (c6 + c7 * d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_library() {
        for i in 0..=200_000 {
            let x = -708.39 + f64::from(i) * (1417.0 / 200_000.0);
            let (fast, reference) = (exp(x), libm::exp(x));
            assert!(
                (fast / reference - 1.0).abs() < 1e-15,
                "{x}: {fast} {reference}"
            );
        }
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn ln_agrees_with_the_library() {
        let mut x = f64::MIN_POSITIVE;
        while x < 1e300 {
            let (fast, reference) = (ln(x), libm::log(x));
            let allowed = 2e-16 + 1e-15 * reference.abs();
            assert!(
                (fast - reference).abs() <= allowed,
                "{x}: {fast} {reference}"
            );
            x *= 1.003_7;
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn arc_cotangent_agrees_with_the_library() {
        for i in 0..100_000 {
            let u = f64::from(i) * 1e-3;
            let reference = libm::atan2(1.0, u);
            assert!(
                (arc_cotangent(u) - reference).abs() < 1e-14,
                "{u}: {reference}"
            );
        }
    }

    #[test]
    fn ln_keeps_relative_accuracy_near_one() {
        for i in -5_000..5_000 {
            let x = 1.0 + f64::from(i) * 2.3e-6;
            let (fast, reference) = (ln(x), libm::log(x));
            assert!(
                (fast - reference).abs() <= 1e-13 * reference.abs(),
                "{x}: {fast} {reference}"
            );
        }
        let mut x = 1e-300;
        while x < 1e300 {
            let (fast, reference) = (ln_1p(x), libm::log1p(x));
            assert!(
                (fast / reference - 1.0).abs() < 1e-13,
                "{x}: {fast} {reference}"
            );
            x *= 1.01;
        }
    }
}
