//! From the engine's error to what the plugin's author can use.

use wasmtime::{Trap, WasmBacktrace};

use crate::direct::TooMuch;
use crate::engine::STACK_BYTES_MAX;
use crate::imports::NoEvent;
use crate::instance::State;
use crate::spending::Overrun;
use crate::{CallError, Limits};

pub(crate) fn explain(error: &wasmtime::Error, state: &State, limits: &Limits) -> CallError {
    if let Some(Overrun { budget, limit }) = error.downcast_ref() {
        let function = error.downcast_ref().and_then(innermost);
        return CallError::Deadline { budget: *budget, limit: *limit, function };
    }
    // A plugin that is refused memory may go on; one that crashes after it, crashes because of it.
    if state.memory.is_refused {
        return CallError::Memory { limit: state.memory.bytes_max };
    }
    if let Some(no_event) = error.downcast_ref::<NoEvent>() {
        let function = format!("`{}`", no_event.function);
        return CallError::Trap { function, message: no_event.to_string() };
    }
    let cause = error.root_cause().to_string();
    // The error's type is private to wasmtime; a test holds the text.
    if error.is::<TooMuch>() || cause.contains("fuel allocated for hostcalls") {
        let problem =
            format!("more than {} bytes at once (`plugin.output_bytes`)", limits.output_bytes_max);
        return CallError::Output { problem, limit: Some("output_bytes_max") };
    }
    let Some(trap) = error.downcast_ref::<Trap>() else {
        let problem = format!("it breaks the contract: {cause}");
        return CallError::Output { problem, limit: None };
    };
    let function = error
        .downcast_ref()
        .and_then(innermost)
        .unwrap_or_else(|| "an unknown function".to_owned());
    if *trap == Trap::StackOverflow {
        return CallError::Stack { function, limit: STACK_BYTES_MAX };
    }
    let message = state.log.last_error().map_or_else(|| trap.to_string(), str::to_owned);
    CallError::Trap { function, message }
}

/// The function where it happened. The language's own panic machinery is on top of it and says nothing.
fn innermost(backtrace: &WasmBacktrace) -> Option<String> {
    const MACHINERY: [&str; 7] =
        ["core::", "std::", "alloc::", "__rust", "rust_", "dlmalloc", "abort"];
    let names = || {
        let mangled = backtrace.frames().iter().filter_map(|frame| frame.func_name());
        // Without the hash that the compiler adds.
        mangled.map(|name| format!("{:#}", rustc_demangle::demangle(name)))
    };
    let is_machinery = |name: &String| {
        let name = name.trim_start_matches('<');
        MACHINERY.iter().any(|start| name.starts_with(start))
    };
    let name = names().find(|name| !is_machinery(name)).or_else(|| names().next())?;
    Some(format!("`{name}`"))
}
