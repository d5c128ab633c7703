//! What libcryptsetup says about a failure, put into the error of the call.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::path::Path;
use std::sync::Once;

use countersign_ports::error::SystemError;
use libcryptsetup_rs::consts::vals::CryptLogLevel;
use libcryptsetup_rs::{LibcryptErr, set_log_callback};

thread_local! {
    /// The library's own words about the last failure on this thread.
    static LAST_WORDS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Collects the library's error messages, which name devices and algorithms, for [`failure`].
pub(super) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_log_callback::<()>(Some(hear), None));
}

extern "C" fn hear(level: c_int, message: *const c_char, _: *mut c_void) {
    if level != CryptLogLevel::Error as c_int || message.is_null() {
        return;
    }
    // SAFETY: the library passes a text ended by NUL that lives until this function returns.
    let text = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    let text: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    // A thread that is ending has nowhere to keep them.
    let _ = LAST_WORDS.try_with(|words| *words.borrow_mut() = text);
}

/// The error of a call into the library, with what it said about it.
pub(super) fn failure(operation: &'static str, device: &Path, error: LibcryptErr) -> SystemError {
    let subject = device.display().to_string();
    let words = LAST_WORDS.with(|words| std::mem::take(&mut *words.borrow_mut()));
    match error {
        LibcryptErr::IOError(error) if words.is_empty() => SystemError::io(operation, subject, error),
        LibcryptErr::IOError(error) => {
            SystemError::io(operation, subject, io::Error::new(error.kind(), format!("{words} ({error})")))
        }
        error => SystemError::new(operation, subject, error),
    }
}
