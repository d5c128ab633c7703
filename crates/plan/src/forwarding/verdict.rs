//! What the status of an HTTP answer means for the one who asked (RFC 9110 section 15).

/// What follows from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was done.
    Done,
    /// Who asks is not known, or no longer: a fresh token may help.
    Unknown,
    /// Who asks is known and may not.
    Forbidden,
    /// Later perhaps.
    Later,
    /// Not like this: asking again will not help. A redirection counts, since nobody else is to get what we send.
    Never,
}

impl Verdict {
    /// The verdict of a status.
    pub fn of(status: u16) -> Verdict {
        match status {
            200..=299 => Verdict::Done,
            401 => Verdict::Unknown,
            403 => Verdict::Forbidden,
            408 | 429 | 500..=599 => Verdict::Later,
            _ => Verdict::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::*;

    #[test]
    fn every_status_has_a_verdict() {
        for (verdict, statuses) in [
            (Done, &[200, 201, 202, 204, 299][..]),
            (Unknown, &[401]),
            (Forbidden, &[403]),
            (Later, &[408, 429, 500, 502, 503, 599]),
            (Never, &[0, 100, 199, 301, 302, 307, 400, 402, 404, 405, 413, 415, 422, 600]),
        ] {
            for status in statuses {
                assert_eq!(Verdict::of(*status), verdict, "{status}");
            }
        }
    }
}
