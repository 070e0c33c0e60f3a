//! What a program without the standard library must bring itself.

/// Never reached: the release check links the library with a handler that does not exist.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    #[cfg(sk_no_panic)]
    {
        crate::sys::panic_is_reachable()
    }
    #[cfg(not(sk_no_panic))]
    crate::sys::abort()
}

// `core` is compiled to unwind and mentions the personality routine, which nothing calls
// where panics abort. Weak, so that another Rust archive in the program may bring the real
// one; hidden, so that nobody sees it from outside.
#[cfg(target_os = "linux")]
core::arch::global_asm!(".weak rust_eh_personality", ".hidden rust_eh_personality", "rust_eh_personality:",);
