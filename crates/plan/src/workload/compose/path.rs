//! Paths that a compose file names.

use super::COMPOSE_FOLDER;

/// A path of the guest without `.`, `..` and double slashes; relative ones begin in the compose folder.
pub(super) fn absolute(path: &str) -> String {
    let from_home = path.strip_prefix('~').map(|rest| format!("/root/{rest}"));
    let whole = match (&from_home, path.starts_with('/')) {
        (Some(path), _) => path.clone(),
        (None, true) => path.to_owned(),
        (None, false) => format!("{COMPOSE_FOLDER}/{path}"),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Where a path lies in the archive; `None` outside of it. The folder itself is empty text.
pub(super) fn inside(path: &str) -> Option<String> {
    let absolute = absolute(path);
    let rest = absolute.strip_prefix(COMPOSE_FOLDER)?;
    if rest.is_empty() { Some(String::new()) } else { rest.strip_prefix('/').map(str::to_owned) }
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
