//! The priority of a thread.
#![expect(unsafe_code, reason = "the standard library cannot set a thread's priority; libc can")]

/// Has the calling thread yield to the others from now on, where the system sets it by thread.
pub fn step_back(nice: i32) {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: it takes and keeps no pointer. On Linux, 0 is the calling thread and no other.
        let outcome = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
        if outcome != 0 {
            tracing::debug!(nice, "the system does not let a thread lower its priority");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = nice;
}
