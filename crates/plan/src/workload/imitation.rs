//! Names of a workload that look like those of the guest's own programs in the log.
//!
//! A container's lines stand in the log under its name, which its author chooses. Nothing that the guest decides depends on
//! a name (`forwarding::origin`), and a record says who wrote it; a person who reads the name alone is deceived. Known are the
//! names under which the guest's own lines stand: `countersignd` and its units, the kernel, systemd, the engine. Letters
//! are compared without their case, and without what separates words; letters that only look alike are not among those
//! that a name may have. `init` is no such name: it is what people call a container that runs once.

/// Names that are imitated as a whole.
const WHOLE: [&str; 6] = ["aardvarkdns", "conmon", "crun", "kernel", "netavark", "podman"];

/// What begins a name that imitates.
const BEGINNINGS: [&str; 2] = ["countersign", "systemd"];

/// Whether a name looks like one of the guest's own.
pub(super) fn imitates(name: &str) -> bool {
    let letters = name.chars().filter(|letter| !matches!(letter, '-' | '_' | '.'));
    let folded: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    WHOLE.contains(&folded.as_str()) || BEGINNINGS.iter().any(|beginning| folded.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::imitates;

    #[test]
    fn names_of_the_guests_own_programs_are_known_however_they_are_written() {
        for name in [
            "countersignd",
            "Countersignd",
            "countersign",
            "countersign-start",
            "counter_sign.d",
            "kernel",
            "KERNEL",
            "systemd",
            "systemd-journald",
            "podman",
            "_kernel_",
        ] {
            assert!(imitates(name), "{name}");
        }
        for name in ["web", "my-countersignd", "kernels", "init", "system", "podman2", "sign", ""] {
            assert!(!imitates(name), "{name}");
        }
    }
}
