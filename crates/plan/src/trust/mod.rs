//! Who is believed: sections and their tokens, who signed, the auditor's key, the time by which dates are judged.

pub mod auditor;
pub mod judgement;
pub mod section;
pub mod signer;
pub mod time_floor;
