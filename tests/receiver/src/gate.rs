//! A gate that is shut until somebody opens it, for good.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Shut when made; [`Gate::open`] lets everyone through, now and later. Clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub fn shut() -> Self {
        Self::default()
    }

    pub fn open(&self) {
        *self.inner.is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.inner.opened.notify_all();
    }

    pub(crate) fn pass(&self) {
        let mut is_open = self.inner.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*is_open {
            is_open = self.inner.opened.wait(is_open).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
