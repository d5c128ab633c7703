//! Waiting for what may come a little later, by the machine's own clock.

use std::time::Duration;

use countersign_ports::Clock;

use crate::failure::Failure;

/// Tries until it goes well or `time` is over, and tells how the last attempt went.
///
/// After an attempt that did not go well, `pause` gets what was missing and how long there is left; it waits, for as long
/// as it likes or until something changes, and says whether another attempt is worth while.
///
/// # Errors
/// Those of attempts and pauses that nothing is gained by repeating.
pub(crate) fn until<S: Clock, T, M>(
    system: &S,
    time: Duration,
    mut attempt: impl FnMut() -> Result<Result<T, M>, Failure>,
    mut pause: impl FnMut(&M, Duration) -> Result<bool, Failure>,
) -> Result<Result<T, M>, Failure> {
    let deadline = system.uptime() + time;
    loop {
        let missing = match attempt()? {
            Ok(value) => return Ok(Ok(value)),
            Err(missing) => missing,
        };
        let left = deadline.saturating_sub(system.uptime());
        if left.is_zero() || !pause(&missing, left)? {
            return Ok(Err(missing));
        }
    }
}
