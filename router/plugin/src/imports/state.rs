//! The `state` import: keys and values that outlive the instance.
//!
//! # Invariants
//!
//! - Keys and values are within the contract's bounds before anybody behind [`StateAccess`] sees them.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, WasmList, WasmStr};

use crate::contract::STATE;
use crate::imports::Current;
use crate::instance::State;

const KEY_BYTES_MAX: usize = 256;
const VALUE_BYTES_MAX: usize = 64 << 10;

/// One event's view of a plugin's state. Keys and values come within the contract's bounds.
///
/// Times are milliseconds since 1970, on the event's clock.
pub trait StateAccess: Send + Sync {
    fn get(&self, key: &str, now_ms: i64) -> Result<Option<Vec<u8>>, StateError>;

    fn set(&self, key: &str, value: Vec<u8>, expires_at_ms: Option<i64>) -> Result<(), StateError>;

    /// A key that is not there is no error.
    fn delete(&self, key: &str) -> Result<(), StateError>;

    /// Adds to a number (one that is not there is 0) and returns the sum, which stops at the ends of `i64`. What is no
    /// number stays as it is.
    fn increment(
        &self,
        key: &str,
        by: i64,
        expires_at_ms: Option<i64>,
        now_ms: i64,
    ) -> Result<i64, StateError> {
        let number = match self.get(key, now_ms)? {
            Some(value) => std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok()),
            None => Some(0_i64),
        };
        let problem = || StateError::Unavailable(format!("the value of `{key}` is no number"));
        let sum = number.ok_or_else(problem)?.saturating_add(by);
        self.set(key, sum.to_string().into_bytes(), expires_at_ms)?;
        Ok(sum)
    }

    /// Forgets what was written through it: the call broke its instance and is made once more on a fresh one.
    fn undo(&self);
}

/// Why state cannot be read or written.
#[derive(ComponentType, Lift, Lower, Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[component(variant)]
pub enum StateError {
    /// What is over its bound, in words.
    #[component(name = "too-large")]
    #[error("{0}")]
    TooLarge(String),

    /// Not now: the event is best retried.
    #[component(name = "unavailable")]
    #[error("{0}")]
    Unavailable(String),
}

type Store<'a> = StoreContextMut<'a, State>;

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut state = linker.instance(STATE)?;
    state.func_wrap("get", |store: Store<'_>, (key,): (WasmStr,)| {
        Ok((get(&store.data().current, &key.to_str(&store)?),))
    })?;
    state.func_wrap("set", |store: Store<'_>, args: (WasmStr, WasmList<u8>, Option<u64>)| {
        let (key, value, ttl_ms) = args;
        let value = value.as_le_slice(&store);
        Ok((set(&store.data().current, &key.to_str(&store)?, value, ttl_ms),))
    })?;
    state.func_wrap("delete", |store: Store<'_>, (key,): (WasmStr,)| {
        Ok((delete(&store.data().current, &key.to_str(&store)?),))
    })?;
    state.func_wrap("increment", |store: Store<'_>, args: (WasmStr, i64, Option<u64>)| {
        let (key, by, ttl_ms) = args;
        Ok((increment(&store.data().current, &key.to_str(&store)?, by, ttl_ms),))
    })
}

pub(crate) fn get(current: &Current, key: &str) -> Result<Option<Vec<u8>>, StateError> {
    let Call { access, now_ms } = reach(current, key)?;
    access.get(key, now_ms)
}

pub(crate) fn set(
    current: &Current,
    key: &str,
    value: &[u8],
    ttl_ms: Option<u64>,
) -> Result<(), StateError> {
    let Call { access, now_ms } = reach(current, key)?;
    bounded(value)?;
    access.set(key, value.to_owned(), expiry(now_ms, ttl_ms))
}

pub(crate) fn delete(current: &Current, key: &str) -> Result<(), StateError> {
    reach(current, key)?.access.delete(key)
}

pub(crate) fn increment(
    current: &Current,
    key: &str,
    by: i64,
    ttl_ms: Option<u64>,
) -> Result<i64, StateError> {
    let Call { access, now_ms } = reach(current, key)?;
    access.increment(key, by, expiry(now_ms, ttl_ms), now_ms)
}

/// What a call into the state needs of the event.
struct Call<'a> {
    access: &'a Arc<dyn StateAccess>,
    now_ms: i64,
}

/// The event's state, for a key within its bounds.
fn reach<'a>(current: &'a Current, key: &str) -> Result<Call<'a>, StateError> {
    let Some(access) = &current.state else {
        let problem = if current.is_event {
            "the router keeps no state for this call"
        } else {
            "there is no state outside of an event: not while a plugin is described or configured"
        };
        return Err(StateError::Unavailable(problem.to_owned()));
    };
    let len = key.len();
    if len == 0 || len > KEY_BYTES_MAX {
        let problem = format!("a key of {len} bytes: it has 1 to {KEY_BYTES_MAX}");
        return Err(StateError::TooLarge(problem));
    }
    Ok(Call { access, now_ms: current.time_ms })
}

fn bounded(value: &[u8]) -> Result<(), StateError> {
    let len = value.len();
    if len > VALUE_BYTES_MAX {
        let problem = format!("a value of {len} bytes: it has at most {VALUE_BYTES_MAX}");
        return Err(StateError::TooLarge(problem));
    }
    Ok(())
}

/// When what lives for `ttl_ms` is gone.
fn expiry(now_ms: i64, ttl_ms: Option<u64>) -> Option<i64> {
    ttl_ms.map(|ttl| now_ms.saturating_add_unsigned(ttl))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_ends_at_the_end_of_time_at_the_latest() {
        assert_eq!(expiry(7, None), None);
        assert_eq!(expiry(7, Some(0)), Some(7));
        assert_eq!(expiry(-7, Some(10)), Some(3));
        assert_eq!(expiry(7, Some(u64::MAX)), Some(i64::MAX));
    }
}
