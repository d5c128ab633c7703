//! The catalogue of message codes: one entry for every code the program can print.
//!
//! A code is `HPLccnnnX`: two digits for the component, three for the message, one letter for the severity
//! (`E`, `W`, `I`). Codes and names that HPCR documents keep their meaning, because log watchers match them;
//! the wording is ours. Where HPCR has no code of the needed precision we use numbers it leaves free:
//!
//! | range | component | subject |
//! |---|---|---|
//! | `HPL01100`–`HPL01199` | logging | refusals of the log server's settings |
//! | `HPL05100`–`HPL05199` | contract | refusals: text, envelope, fields |
//! | `HPL05200`–`HPL05299` | contract | warnings and notices to the author |
//! | `HPL06100`–`HPL06119` | archive | refusals of the compose or play archive |
//! | `HPL06120`–`HPL06129` | images | the deadline of the stage `images`, and what runs otherwise than it may look |
//! | `HPL07100`–`HPL07199` | volumes | refusals and warnings by the stage `unlock` |
//! | `HPL08110`–`HPL08119` | daemon | the workload's containers and their engine |
//! | `HPL08120`–`HPL08129` | start | the deadline of the stage `start` |
//! | `HPL11100`–`HPL11199` | initramfs | preflight, locate, unseal, root, the clock |
//! | `HPL12100`–`HPL12199` | signature | unsigned contracts, policy, the end of a contract |
//! | `HPL13100`–`HPL13109` | network | refusals of network-config |
//! | `HPL13110`–`HPL13129` | daemon | what the hourly check of the volumes found |
//! | `HPL14100`–`HPL14109` | network | the packet filter |
//! | `HPL15100`–`HPL15199` | play | the deadline of the pods, and what runs otherwise than it may look |
//!
//! This module holds data and look-ups only; it prints nothing and decides nothing. The table is in
//! `code/table.rs`; a stage that learns to print a new code adds its line there. What HPCR's codes mean, also those that
//! nothing here prints, is in `code/hpcr.rs`.

use std::fmt;

/// How bad a message is; the last letter of its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Progress worth a line.
    Info,
    /// The boot goes on, somebody should look.
    Warning,
    /// The boot ends, or the thing that was asked for did not happen.
    Error,
}

impl Severity {
    /// `info`, `warning` or `error`, as in the JSON reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }

    /// The letter that ends a code of this severity.
    pub const fn letter(self) -> char {
        match self {
            Severity::Info => 'I',
            Severity::Warning => 'W',
            Severity::Error => 'E',
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Makes the enum and its look-ups from the table.
macro_rules! codes {
    ($($variant:ident $code:literal $name:ident $severity:ident
       $text:literal cause $cause:literal remedy $remedy:literal;)*) => {
        /// A message code. `Display` prints the code itself, as in `HPL05001E`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = concat!("`", $code, "` ", stringify!($name), ": ", $text)] $variant,)*
        }

        impl Code {
            /// All codes, in the order of the table, which is the order of the numbers.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The code as it is printed, for example `HPL05001E`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $code,)* }
            }

            /// The name that goes with the code, for example `VALIDATE_CONTRACT`.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => stringify!($name),)* }
            }

            /// The severity; always that of the code's last letter.
            pub const fn severity(self) -> Severity {
                match self { $(Code::$variant => Severity::$severity,)* }
            }

            /// One sentence that says what happened.
            pub const fn text(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }

            /// Why it happens.
            pub const fn cause(self) -> &'static str {
                match self { $(Code::$variant => $cause,)* }
            }

            /// What to do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Code::$variant => $remedy,)* }
            }
        }
    };
}

mod hpcr;
mod table;
pub use hpcr::{HpcrCode, Instead};
pub use table::Code;

impl Code {
    /// Looks a code up by its printed form, in any letter case.
    ///
    /// ```
    /// use countersign_contract::code::Code;
    /// assert_eq!(Code::find("hpl05001e"), Some(Code::ContractInvalid));
    /// assert_eq!(Code::find("HPL99999E"), None);
    /// ```
    pub fn find(code: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|known| known.as_str().eq_ignore_ascii_case(code))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_documented_form() {
        for code in Code::ALL {
            let text = code.as_str();
            assert_eq!(text.len(), 9, "{text}");
            assert!(text.starts_with("HPL"), "{text}");
            assert!(text[3..8].bytes().all(|b| b.is_ascii_digit()), "{text}");
            assert_eq!(text.chars().last(), Some(code.severity().letter()), "{text}");
            assert!(
                code.name().bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
                "{text}"
            );
        }
    }

    #[test]
    fn codes_are_unique_and_in_order() {
        for pair in Code::ALL.windows(2) {
            assert!(pair[0].as_str() < pair[1].as_str(), "{} before {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn every_entry_explains_itself() {
        for code in Code::ALL {
            for sentence in [code.text(), code.cause(), code.remedy()] {
                assert!(sentence.len() > 10, "{code}: {sentence:?} says too little");
                assert!(!sentence.ends_with('.'), "{code}: {sentence:?} ends with a full stop");
            }
        }
    }

    #[test]
    fn documented_names_stay() {
        for (code, name) in [
            ("HPL05000E", "PARSE_CONTRACT"),
            ("HPL05001E", "VALIDATE_CONTRACT"),
            ("HPL07015E", "VOLUMES_NAMING_INVALID"),
            ("HPL10000E", "SERVICE_FAILED"),
            ("HPL10001I", "SERVICE_SUCCESS"),
            ("HPL11001E", "INVALID_CONTRACT"),
            ("HPL12001E", "VALIDATE_CONTRACT_SIGNATURE"),
        ] {
            assert_eq!(Code::find(code).map(Code::name), Some(name));
        }
    }
}
