//! The few smallest of many numbers.

use super::constants::CONSTANTS;

/// Numbers taken at once: sums and comparisons of one do not wait for those of another.
pub(super) const LANES: usize = 4;

const KEPT: usize = CONSTANTS.neighbours;

/// The smallest numbers of each lane, in rising order; infinite where there are fewer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Smallest([[f64; LANES]; KEPT]);

impl Smallest {
    /// Of none.
    pub(super) const NONE: Self = Self([[f64::INFINITY; LANES]; KEPT]);

    /// Takes numbers in; none of them is NaN.
    #[inline(always)]
    pub(super) fn take_all(&mut self, numbers: &[f64]) {
        let (chunks, rest) = numbers.as_chunks::<LANES>();
        // In a local: a field would be stored and loaded again in every round.
        let mut kept = self.0;
        for chunk in chunks {
            take(&mut kept, *chunk);
        }
        let mut last = [f64::INFINITY; LANES];
        last[..rest.len()].copy_from_slice(rest);
        take(&mut kept, last);
        self.0 = kept;
    }

    /// The largest of the few smallest, of all lanes together; infinite where there are fewer.
    pub(super) fn last(&self) -> f64 {
        let mut all: Vec<f64> = self.0.as_flattened().to_vec();
        *all.select_nth_unstable_by(KEPT - 1, f64::total_cmp).1
    }
}

/// Each lane's number finds its place among those kept. Comparisons are written out, since
/// `f64::min` asks for NaN as well and takes twice as long.
#[inline(always)]
fn take(kept: &mut [[f64; LANES]; KEPT], mut numbers: [f64; LANES]) {
    for of_rank in kept {
        for (kept, number) in of_rank.iter_mut().zip(&mut numbers) {
            let (low, high) = if *number < *kept {
                (*number, *kept)
            } else {
                (*kept, *number)
            };
            *kept = low;
            *number = high;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_the_smallest_is_that_of_sorting() {
        let numbers: Vec<f64> = (0..97).map(|i| f64::from(i * 59 % 97)).collect();
        let mut smallest = Smallest::NONE;
        smallest.take_all(&numbers[..41]);
        smallest.take_all(&numbers[41..]);
        assert_eq!(smallest.last(), (KEPT - 1) as f64);
        let mut few = Smallest::NONE;
        few.take_all(&[1.0; KEPT - 1]);
        assert_eq!(few.last(), f64::INFINITY);
    }
}
