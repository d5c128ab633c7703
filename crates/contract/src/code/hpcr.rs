//! The message codes of HPCR: what each means there, and what stands in its place here.
//!
//! A log of HPCR is read by people who move from it, and most of its codes are codes of Countersign as well. The list is
//! that of IBM's page "Hyper Protect Container Runtime error messages", with ten codes that its older versions, other
//! pages or published logs have; codes and names are HPCR's interface, all wording is ours. IBM's page gives several codes a
//! system action that its other pages contradict; what is written here is what an instance does.
//!
//! Data and look-ups only. [`Code`](super::Code) is the catalogue of what Countersign prints.

use super::{Code, Severity};

/// A message code that HPCR prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HpcrCode {
    code: &'static str,
    name: &'static str,
    there: &'static str,
    instead: Option<Instead>,
}

/// What stands in the place of a code that Countersign never prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instead {
    /// What Countersign does or says.
    pub here: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl HpcrCode {
    /// All of them, in the order of the numbers.
    pub const ALL: &[HpcrCode] = TABLE;

    /// Looks a code up by its printed form, in any letter case.
    ///
    /// ```
    /// use countersign_contract::code::HpcrCode;
    /// assert_eq!(HpcrCode::find("hpl18003w").and_then(|code| code.name()), Some("REBOOT_WARNING"));
    /// assert!(HpcrCode::find("HPL99999E").is_none());
    /// ```
    pub fn find(code: &str) -> Option<HpcrCode> {
        HpcrCode::ALL.iter().copied().find(|known| known.code.eq_ignore_ascii_case(code))
    }

    /// The code as it is printed, for example `HPL18003W`.
    pub fn as_str(self) -> &'static str {
        self.code
    }

    /// HPCR's name for it; some are known without one.
    pub fn name(self) -> Option<&'static str> {
        Some(self.name).filter(|name| !name.is_empty())
    }

    /// The severity, from the last letter.
    pub fn severity(self) -> Severity {
        match self.code.as_bytes().last() {
            Some(b'W') => Severity::Warning,
            Some(b'I') => Severity::Info,
            _ => Severity::Error,
        }
    }

    /// What it means in HPCR.
    pub fn there(self) -> &'static str {
        self.there
    }

    /// What stands in its place; none where Countersign prints the same code.
    pub fn instead(self) -> Option<Instead> {
        self.instead
    }

    /// The same code of Countersign.
    pub fn own(self) -> Option<Code> {
        Code::find(self.code)
    }
}

/// One entry for each code: code, name (empty if none is known), meaning, and for a code that Countersign never prints what
/// it does and what helps.
macro_rules! hpcr {
    ($($code:literal $name:literal there $there:literal $(here $here:expr, remedy $remedy:expr)?;)*) => {
        pub(super) const TABLE: &[HpcrCode] = &[$(HpcrCode {
            code: $code,
            name: $name,
            there: $there,
            instead: hpcr!(@instead $($here, $remedy)?),
        },)*];
    };
    (@instead) => { None };
    (@instead $here:expr, $remedy:expr) => { Some(Instead { here: $here, remedy: $remedy }) };
}

mod table;
use table::TABLE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        for pair in HpcrCode::ALL.windows(2) {
            assert!(pair[0].code < pair[1].code, "{} before {}", pair[0].code, pair[1].code);
        }
    }

    #[test]
    fn a_code_is_ours_as_well_or_says_what_stands_in_its_place() {
        for code in HpcrCode::ALL {
            assert_eq!(code.own().is_none(), code.instead().is_some(), "{}", code.code);
            if let (Some(own), Some(name)) = (code.own(), code.name()) {
                assert_eq!(own.name(), name, "{}", code.code);
            }
            if let Some(own) = code.own() {
                assert_eq!(own.severity(), code.severity(), "{}", code.code);
            }
        }
    }

    #[test]
    fn what_stands_in_its_place_is_a_code_of_ours() {
        for Instead { here, remedy } in HpcrCode::ALL.iter().filter_map(|code| code.instead()) {
            let words = [here, remedy].into_iter().flat_map(|text| text.split([' ', ',', ':', ';']));
            for word in words.filter(|word| word.starts_with("HPL")) {
                assert!(Code::find(word).is_some(), "{word}");
            }
        }
    }

    #[test]
    fn every_entry_explains_itself() {
        for code in HpcrCode::ALL {
            let more = code.instead().map(|Instead { here, remedy }| [here, remedy]);
            for sentence in std::iter::once(code.there()).chain(more.into_iter().flatten()) {
                assert!(sentence.len() >= 10, "{}: {sentence:?} says too little", code.code);
                assert!(!sentence.ends_with('.'), "{}: {sentence:?} ends with a full stop", code.code);
            }
        }
    }
}
