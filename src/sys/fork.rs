//! Being told of fork, see pthread_atfork(3).

/// Has `parent` called in the parent just before and just after each fork, and `child` in the child.
pub fn on_fork(parent: extern "C" fn(), child: extern "C" fn()) -> Result<(), super::Errno> {
    // SAFETY: the functions are there for the life of the process: the shared library is
    // linked with -z nodelete.
    let failed = unsafe {
        libc::pthread_atfork(Some(as_unsafe(parent)), Some(as_unsafe(parent)), Some(as_unsafe(child)))
    };
    if failed == 0 { Ok(()) } else { Err(super::Errno(failed)) }
}

fn as_unsafe(f: extern "C" fn()) -> unsafe extern "C" fn() {
    f
}
