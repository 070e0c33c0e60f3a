//! Torture: every system call of the library is made to fail in every way it may, one in each
//! run, and each run must end, in good order, leave nothing open, and tell the truth.
//!
//! `cargo test --test torture` has each scenario of the cover programs meet each fault of each
//! kind of call once. `make torture` goes through all calls, and runs the self-tests of the
//! C examples too. `SK_TORTURE="PROGRAM N FAULT"` shows one run.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod calls;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod judge;
#[path = "../support/mod.rs"]
mod support;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod torture;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod trace;

fn main() {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    torture::main();
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    {
        use libtest_mimic::{Arguments, Completion, Trial, run};
        let reason = "the tracer knows the registers of x86-64 on Linux only";
        let trial = Trial::ignorable_test("torture", move || Ok(Completion::ignored_with(reason)));
        run(&Arguments::from_args(), vec![trial]).exit();
    }
}
