//! What the standard library would have brought along on wasm: words about panics.
//!
//! # Not here
//!
//! - A native side: there `cargo test` brings the standard library, and with it the words.
//! - The allocator: `allocator`.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

#[panic_handler]
fn panicked(panic: &PanicInfo<'_>) -> ! {
    static IS_PANICKING: AtomicBool = AtomicBool::new(false);

    // The words need memory, and it may have been the want of memory that ends here.
    if !IS_PANICKING.swap(true, Ordering::Relaxed) {
        let message = panic.message();
        match panic.location() {
            Some(place) => crate::log::error(format_args!("panicked at {place}: {message}")),
            None => crate::log::error(format_args!("panicked: {message}")),
        }
    }
    core::arch::wasm32::unreachable()
}
