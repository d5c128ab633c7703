//! Paths that a compose file names.

use super::COMPOSE_FOLDER;
use crate::workload::path;

/// A path of the guest without `.`, `..` and double slashes; relative ones begin in the compose folder, and `~` is
/// root's home.
pub(super) fn absolute(path: &str) -> String {
    match path.strip_prefix('~') {
        Some(rest) => path::absolute(&format!("/root/{rest}"), COMPOSE_FOLDER),
        None => path::absolute(path, COMPOSE_FOLDER),
    }
}

/// Where a path lies in the archive; `None` outside of it. The folder itself is empty text.
pub(super) fn inside(path: &str) -> Option<String> {
    path::inside(&absolute(path), COMPOSE_FOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_from_the_compose_folder() {
        for (path, expected, within) in [
            ("a", "/data1/compose/a", Some("a")),
            ("./a//b/../c", "/data1/compose/a/c", Some("a/c")),
            (".", "/data1/compose", Some("")),
            ("..", "/data1", None),
            ("../compose/a", "/data1/compose/a", Some("a")),
            ("../../../etc", "/etc", None),
            ("/data1/compose/a", "/data1/compose/a", Some("a")),
            ("/data1/composed", "/data1/composed", None),
            ("~/a", "/root/a", None),
            ("/", "/", None),
        ] {
            assert_eq!((absolute(path).as_str(), inside(path).as_deref()), (expected, within), "{path}");
        }
    }
}
