//! Random bytes from the kernel, never from anywhere else.
//!
//! Follows getrandom(2): without flags it waits until the kernel's generator is seeded, which early in the
//! boot of a small guest may not yet be so.

use std::io;

/// Fills `buffer`; waits for the kernel's generator to be seeded.
pub(super) fn fill(buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        let rest = &mut buffer[filled..];
        // SAFETY: pointer and length describe `rest`, which is writable and outlives the call.
        let got = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(got) {
            Ok(got) => filled += got,
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

/// Returns once the kernel's generator is seeded. Libraries that read `/dev/urandom` do not wait by themselves.
pub(super) fn wait_until_seeded() -> io::Result<()> {
    fill(&mut [0])
}

#[cfg(test)]
mod tests {
    #[test]
    fn fills_the_whole_buffer_with_something_new() {
        // Longer than the 256 bytes that the kernel never interrupts.
        let (mut one, mut two) = ([0u8; 1024], [0u8; 1024]);
        super::fill(&mut one).unwrap();
        super::fill(&mut two).unwrap();
        assert_ne!(one, two);
        assert!(one[992..].iter().any(|byte| *byte != 0));
    }
}
