//! Every n-th response, in constant memory: n is the smallest power of two that leaves no more than
//! [`MOST`]. A point is in if its index is a multiple of n, so that the order in which responses
//! arrive does not matter.

use super::stats::SamplePoint;

/// Points at most.
pub(super) const MOST: usize = 2_000;

/// Responses whose index is a multiple of a stride that grows.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    stride: u64,
    points: Vec<SamplePoint>,
}

impl Sample {
    pub(super) fn new() -> Self {
        Self {
            stride: 1,
            points: Vec::with_capacity(MOST + 1),
        }
    }

    #[inline]
    pub(super) fn add(&mut self, point: SamplePoint) {
        if !point.index.is_multiple_of(self.stride) {
            return;
        }
        self.points.push(point);
        // Indices of one run differ. Were all the same, this would not end.
        while self.points.len() > MOST && self.stride < 1 << 63 {
            self.stride *= 2;
            let stride = self.stride;
            self.points
                .retain(|point| point.index.is_multiple_of(stride));
        }
        self.points.truncate(MOST);
    }

    /// In the order of the requests.
    pub(super) fn points(&self) -> Vec<SamplePoint> {
        let mut points = self.points.clone();
        points.sort_unstable_by_key(|point| {
            (point.index, point.at_ns, point.latency_ns, point.class)
        });
        points
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.points.capacity() * size_of::<SamplePoint>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::response::OutcomeClass;

    fn point(index: u64) -> SamplePoint {
        SamplePoint {
            index,
            at_ns: 0,
            latency_ns: 0,
            class: OutcomeClass::Ok,
        }
    }

    #[test]
    fn keeps_every_nth_evenly() {
        let mut sample = Sample::new();
        let bytes = sample.heap_bytes();
        (0..100_000).map(point).for_each(|point| sample.add(point));
        let indices: Vec<u64> = sample.points().iter().map(|point| point.index).collect();
        let every_64th: Vec<u64> = (0..100_000).step_by(64).collect();
        assert_eq!(indices, every_64th);
        assert_eq!(sample.heap_bytes(), bytes);
    }

    #[test]
    fn as_many_as_there_is_room_for_are_all_kept() {
        let mut sample = Sample::new();
        (0..MOST as u64)
            .rev()
            .map(point)
            .for_each(|point| sample.add(point));
        assert_eq!(sample.points().len(), MOST);
    }

    #[test]
    fn the_same_index_again_and_again_is_no_way_out_of_the_bound() {
        let mut sample = Sample::new();
        (0..3 * MOST).for_each(|_| sample.add(point(0)));
        assert_eq!(sample.points().len(), MOST);
    }
}
