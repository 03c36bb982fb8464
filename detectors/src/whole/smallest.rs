//! The few smallest of many numbers.

use super::constants::CONSTANTS;

/// Numbers looked at together: most of them are none of the smallest, which one comparison tells.
const GROUP: usize = 8;

const KEPT: usize = CONSTANTS.neighbours;

/// The smallest numbers in rising order; infinite where there are fewer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Smallest([f64; KEPT]);

impl Smallest {
    /// Of none.
    pub(super) const NONE: Self = Self([f64::INFINITY; KEPT]);

    /// Takes numbers in; none of them is NaN.
    #[inline(always)]
    pub(super) fn take_all(&mut self, numbers: &[f64]) {
        let (groups, rest) = numbers.as_chunks::<GROUP>();
        for group in groups {
            if least_of(group) < self.last() {
                self.take_each(group);
            }
        }
        self.take_each(rest);
    }

    /// The largest of the few smallest.
    #[inline(always)]
    pub(super) fn last(&self) -> f64 {
        self.0[KEPT - 1]
    }

    /// Each number goes up past those it is smaller than, and the last one falls out.
    #[inline(never)]
    fn take_each(&mut self, numbers: &[f64]) {
        for number in numbers {
            let mut number = *number;
            for kept in &mut self.0 {
                if number < *kept {
                    std::mem::swap(kept, &mut number);
                }
            }
        }
    }
}

/// Comparisons in pairs, so that few wait for others, and written out, since `f64::min` asks for NaN
/// as well.
#[inline(always)]
fn least_of(group: &[f64; GROUP]) -> f64 {
    let less = |a: f64, b: f64| if a < b { a } else { b };
    let mut least = *group;
    let mut half = GROUP / 2;
    while half > 0 {
        for i in 0..half {
            least[i] = less(least[i], least[i + half]);
        }
        half /= 2;
    }
    least[0]
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

    #[test]
    fn equal_numbers_count_each() {
        let mut smallest = Smallest::NONE;
        smallest.take_all(&[2.0; 3 * GROUP]);
        smallest.take_all(&[1.0]);
        assert_eq!((smallest.0[0], smallest.last()), (1.0, 2.0));
    }
}
