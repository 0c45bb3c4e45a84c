//! Instances that wait for an event.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::instance::Instance;

/// Configured instances, each of which may take an event. The host takes them away when slots run out.
#[derive(Default)]
pub(crate) struct Idle {
    instances: Mutex<Vec<Instance>>,
}

impl Idle {
    pub(crate) fn take(&self) -> Option<Instance> {
        self.lock().pop()
    }

    pub(crate) fn put(&self, instance: Instance, count_max: usize) {
        let mut instances = self.lock();
        if instances.len() < count_max {
            instances.push(instance);
        }
    }

    /// Throws all of them away, and says how many there were.
    pub(crate) fn clear(&self) -> usize {
        std::mem::take(&mut *self.lock()).len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Instance>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
