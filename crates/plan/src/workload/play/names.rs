//! Names: the engine's, and those that the guest gives.
//!
//! The engine calls a container `POD-CONTAINER`, in one room with the names of all pods; so does HPCR in the log. What
//! the guest makes has names of its own: the config map of the contract's variables, as HPCR calls it; and for each
//! volume that a config map fills a copy of it, for the engine would keep one folder under its name for all pods, and
//! write into it once more while a container has it.

/// HPCR's config map with the variables of the contract.
pub const CONFIG_MAP: &str = "contract.config.map";

/// What begins the names of copies.
const COPY: &str = "contract.volume.";

/// What is expected of a name.
pub(super) const EXPECTED: &str =
    "a name of at most 63 letters, digits, dots, - and _ that begins with a letter or digit";

/// Whether the engine takes a name, and the kernel one made of it for a host.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 63
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Whether a name of a config map is one of the guest's own.
pub(super) fn is_own(name: &str) -> bool {
    name == CONFIG_MAP || name.starts_with(COPY)
}

/// The name of the copy for a volume of a pod.
pub(super) fn copy(pod: usize, volume: usize) -> String {
    format!("{COPY}{pod}.{volume}")
}

/// The name of a volume of a pod. The engine keeps volumes that are not paths under their names, for all pods together.
pub(super) fn volume(pod: usize, volume: usize) -> String {
    format!("volume-{pod}-{volume}")
}

/// The engine's name of a container.
pub(super) fn container(pod: &str, container: &str) -> String {
    format!("{pod}-{container}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_engine_takes() {
        for name in ["a", "A1", "my_pod.x-y", &"a".repeat(63)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-a", ".a", "a b", "a/b", "ä", &"a".repeat(64)] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_own(&copy(1, 2)) && is_own(CONFIG_MAP) && !is_own("contract.config"));
    }
}
