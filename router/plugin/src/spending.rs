//! What the running call has used of its budgets, and an instance of its memory.
//!
//! # Invariants
//!
//! - Budgets begin at the first tick after the call began, so a call that ends before reads no clock. That adds at
//!   most one tick to a budget.
//! - Code without a loop meets no tick: the imports that it calls look at the budgets, too.

use std::time::Duration;

use wasmtime::{ResourceLimiter, UpdateDeadline};

use crate::engine::TABLE_ELEMENTS_MAX;
use crate::{Budget, Limits, clock};

/// A call for many events has the budgets of so many at most: one that spins must not hold its thread for all of them.
const BUDGETS_MAX: u32 = 4;

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("budget used up")]
pub(crate) struct Overrun {
    pub(crate) budget: Budget,
    pub(crate) limit: Duration,
}

/// The budgets of the call that is running.
pub(crate) struct Spending {
    cpu_max: Duration,
    wall_max: Duration,
    /// Of how many events the running call has the budgets.
    events: u32,
    /// CPU and wall time at the first tick.
    began: Option<(Duration, Duration)>,
    /// Imports called since the instance was made.
    imports: u32,
}

impl Spending {
    pub(crate) fn new(limits: &Limits) -> Self {
        let Limits { cpu_max, wall_max, .. } = *limits;
        Self { cpu_max, wall_max, events: 1, began: None, imports: 0 }
    }

    pub(crate) fn begin(&mut self, events: u32) {
        self.events = events.min(BUDGETS_MAX);
        self.began = None;
    }

    /// An import is called: every few of them the budgets are looked at.
    pub(crate) fn import(&mut self) -> wasmtime::Result<()> {
        const LOOK_EVERY: u32 = 16;
        self.imports = self.imports.wrapping_add(1);
        if self.imports.is_multiple_of(LOOK_EVERY) {
            self.check()?;
        }
        Ok(())
    }

    pub(crate) fn check(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let (cpu, wall) = (clock::thread_cpu(), clock::monotonic());
        let (cpu_began, wall_began) = *self.began.get_or_insert((cpu, wall));
        let spent = [cpu.saturating_sub(cpu_began), wall.saturating_sub(wall_began)];
        match self.overrun(spent) {
            Some(overrun) => Err(wasmtime::Error::new(overrun)),
            None => Ok(UpdateDeadline::Continue(1)),
        }
    }

    /// What is used up when a call has spent so much CPU and wall time.
    fn overrun(&self, [cpu, wall]: [Duration; 2]) -> Option<Overrun> {
        let used_up = |budget, limit: Duration, spent| {
            let limit = limit.saturating_mul(self.events);
            (spent >= limit).then_some(Overrun { budget, limit })
        };
        used_up(Budget::Cpu, self.cpu_max, cpu)
            .or_else(|| used_up(Budget::Wall, self.wall_max, wall))
    }
}

pub(crate) struct Memory {
    /// Of all linear memories together.
    bytes: usize,
    pub(crate) bytes_max: usize,
    pub(crate) is_refused: bool,
}

impl Memory {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { bytes: 0, bytes_max: limits.memory_bytes_max, is_refused: false }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether so much is taken that the next call is better made on another instance.
    pub(crate) fn is_over_its_mark(&self) -> bool {
        self.bytes > self.bytes_max / 2
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // By its own type it fails, whatever is said here, and is not to be counted.
        if maximum.is_some_and(|maximum| maximum < desired) {
            return Ok(false);
        }
        let bytes = self.bytes.saturating_add(desired.saturating_sub(current));
        if bytes > self.bytes_max {
            self.is_refused = true;
            return Ok(false);
        }
        self.bytes = bytes;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_the_budgets_of_its_events_and_of_no_more_than_some() {
        const MS: fn(u64) -> Duration = Duration::from_millis;
        let mut spending =
            Spending::new(&Limits { cpu_max: MS(20), wall_max: MS(100), ..Limits::default() });
        for (events, times) in [(1, 1), (2, 2), (4, 4), (5, 4), (u32::MAX, 4)] {
            spending.begin(events);
            let [cpu, wall] = [MS(20 * times), MS(100 * times)];
            let less = |limit: Duration| limit.saturating_sub(Duration::from_nanos(1));
            assert_eq!(spending.overrun([less(cpu), less(wall)]), None, "{events}");
            let over = |budget, limit| Some(Overrun { budget, limit });
            assert_eq!(spending.overrun([cpu, less(wall)]), over(Budget::Cpu, cpu), "{events}");
            assert_eq!(spending.overrun([less(cpu), wall]), over(Budget::Wall, wall), "{events}");
        }
    }
}
