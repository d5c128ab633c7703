//! Paths that a workload names.

/// A path of the guest without `.`, `..` and double slashes; relative ones begin in `folder`.
pub(super) fn absolute(path: &str, folder: &str) -> String {
    let relative = if path.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = Vec::new();
    for part in relative.split('/').chain(path.split('/')) {
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

/// Where a path lies in a folder; `None` outside of it. The folder itself is empty text.
pub(super) fn inside(path: &str, folder: &str) -> Option<String> {
    let absolute = absolute(path, folder);
    let rest = absolute.strip_prefix(folder)?;
    if rest.is_empty() { Some(String::new()) } else { rest.strip_prefix('/').map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_from_the_folder() {
        for (path, expected, within) in [
            ("a", "/data1/play/a", Some("a")),
            ("./a//b/../c", "/data1/play/a/c", Some("a/c")),
            (".", "/data1/play", Some("")),
            ("..", "/data1", None),
            ("../play/a", "/data1/play/a", Some("a")),
            ("../../../etc", "/etc", None),
            ("/data1/play/a", "/data1/play/a", Some("a")),
            ("/data1/played", "/data1/played", None),
            ("~/a", "/data1/play/~/a", Some("~/a")),
            ("/", "/", None),
        ] {
            let folder = "/data1/play";
            assert_eq!(absolute(path, folder), expected, "{path}");
            assert_eq!(inside(path, folder).as_deref(), within, "{path}");
        }
    }
}
