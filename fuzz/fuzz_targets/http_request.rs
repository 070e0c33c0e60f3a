//! Bytes from a stranger to c-examples/http_request.h.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // SAFETY: the data are as long as it says.
    unsafe { sk_fuzz::http_request_fuzz(data.as_ptr(), data.len()) };
});
