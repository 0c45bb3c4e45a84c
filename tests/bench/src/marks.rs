//! Events that can be told apart: an id with a number, written into prepared requests in place.

use std::sync::atomic::{AtomicU64, Ordering};

use memchr::memmem;

use crate::clock::epoch_micros;

/// How many there may be in one run.
pub(crate) const MARKS_MAX: usize = 4_000_000;

/// An id as it stands in a prepared request, to be overwritten.
pub(crate) const BLANK: &str = "bench-0000000000";

const PREFIX: &[u8] = b"\"bench-";
const DIGITS: usize = 10;

/// Gives out numbers and remembers when each was acknowledged.
pub(crate) struct Marks {
    next: AtomicU64,
    acknowledged: Vec<AtomicU64>,
}

impl Marks {
    pub(crate) fn new() -> Self {
        let acknowledged = (0..MARKS_MAX).map(|_| AtomicU64::new(0)).collect();
        Self { next: AtomicU64::new(0), acknowledged }
    }

    /// Writes the next numbers over the blanks of `request`; returns the first and how many.
    pub(crate) fn write(&self, request: &mut [u8]) -> (usize, usize) {
        let blanks: Vec<usize> = memmem::find_iter(request, PREFIX).collect();
        let count = u64::try_from(blanks.len()).unwrap_or(0);
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        for (blank, number) in blanks.iter().zip(first..) {
            let start = blank + PREFIX.len();
            let digits = format!("{number:0DIGITS$}");
            if let Some(place) = request.get_mut(start..start + DIGITS) {
                place.copy_from_slice(digits.as_bytes());
            }
        }
        (usize::try_from(first).unwrap_or(usize::MAX), blanks.len())
    }

    pub(crate) fn acknowledge(&self, (first, count): (usize, usize)) {
        let now = epoch_micros();
        for slot in self.acknowledged.iter().skip(first).take(count) {
            slot.store(now, Ordering::Relaxed);
        }
    }

    /// How many have been given out.
    pub(crate) fn given(&self) -> usize {
        usize::try_from(self.next.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    /// Microseconds from acknowledgement to arrival, of the marks from `first` on that have both. What arrived
    /// before its sender had read the answer took no time.
    pub(crate) fn delays(&self, first: usize, arrivals: &[u8]) -> Vec<u32> {
        let arrived = arrivals.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let both = self.acknowledged.iter().map(|at| at.load(Ordering::Relaxed)).zip(arrived);
        let known = both.skip(first).filter(|&(sent, arrived)| 0 < sent && 0 < arrived);
        known
            .map(|(sent, arrived)| u32::try_from(arrived.saturating_sub(sent)).unwrap_or(u32::MAX))
            .collect()
    }
}

/// The numbers of the marked events in a body.
pub(crate) fn of(body: &[u8]) -> impl Iterator<Item = usize> {
    memmem::find_iter(body, PREFIX).filter_map(|at| {
        let start = at + PREFIX.len();
        std::str::from_utf8(body.get(start..start + DIGITS)?).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_numbered_and_found_again() {
        let marks = Marks::new();
        let blank = format!("{{\"id\":\"{BLANK}\"}}\n").repeat(2);
        let mut request = blank.clone().into_bytes();
        assert_eq!(marks.write(&mut request), (0, 2));
        request.copy_from_slice(blank.as_bytes());
        let given = marks.write(&mut request);
        assert_eq!((given, of(&request).collect::<Vec<_>>()), ((2, 2), vec![2, 3]));

        marks.acknowledge(given);
        let arrived = [0, 9, 0, epoch_micros() + 60_000_000].map(u64::to_le_bytes).concat();
        let delays = marks.delays(0, &arrived);
        assert!(matches!(delays.as_slice(), [delay] if 50_000_000 < *delay), "{delays:?}");
    }
}
