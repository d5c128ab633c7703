//! What an image reference is: the grammar of the reference package of the distribution project, which the engine and
//! its compose program share.
//!
//! `[host[:port]/]path[:tag]@sha256:digest`. The engine also takes places other than registries behind a scheme
//! (containers-transports(5)); nothing of the contract vouches for what lies there.

/// Length of a SHA-256 in hexadecimal digits.
const DIGEST_DIGITS: usize = 64;

/// Longest name, without tag and digest.
const LONGEST_NAME: usize = 255;

/// Longest tag.
const LONGEST_TAG: usize = 128;

/// Words before the first colon by which the engine looks elsewhere than in a registry. `docker:` is none of them
/// unless `//` follows: there is an image of that name.
const SCHEMES: [&str; 10] = [
    "atomic",
    "containers-storage",
    "dir",
    "docker-archive",
    "docker-daemon",
    "oci",
    "oci-archive",
    "ostree",
    "sif",
    "tarball",
];

/// What a text is, taken as an image reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A reference with a SHA-256.
    Pinned,
    /// A reference without a digest, with or without a tag.
    Tagged,
    /// A reference with a malformed digest.
    NotPinned,
    /// Another place than a registry.
    Scheme,
    /// No reference.
    None,
}

/// Judges a text.
pub(crate) fn kind(text: &str) -> Kind {
    let scheme = text.split_once(':').is_some_and(|(scheme, _)| SCHEMES.contains(&scheme));
    if scheme || text.contains("://") {
        return Kind::Scheme;
    }
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    let name = match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => {
            if !is_tag(tag) {
                return Kind::None;
            }
            before
        }
        _ => name,
    };
    if !is_name(name) {
        return Kind::None;
    }
    let Some(digest) = digest else { return Kind::Tagged };
    let pinned = digest.strip_prefix("sha256:").is_some_and(|digits| {
        digits.len() == DIGEST_DIGITS
            && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    });
    if pinned { Kind::Pinned } else { Kind::NotPinned }
}

fn is_name(name: &str) -> bool {
    if name.len() > LONGEST_NAME {
        return false;
    }
    let is_path = |path: &str| path.split('/').all(is_component);
    match name.split_once('/') {
        Some((first, path)) if is_registry(first) => is_host(first) && is_path(path),
        _ => is_path(name),
    }
}

/// Whether the first part of a name with several is a registry's, as the program tells one from a path.
pub(crate) fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first != first.to_lowercase()
}

/// `a`, `a-b.c:5000`, `[::1]:5000`.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let named = match address {
        Some(address) => {
            !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
        }
        None => name.split('.').all(is_label),
    };
    named && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Small letters and digits, with `.`, `_`, `__` or hyphens between them.
fn is_component(component: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    let bytes = component.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    ends.iter().all(|end| end.is_some_and(|byte| plain(*byte)))
        && bytes.split(|byte| plain(*byte)).all(|between| {
            matches!(between, b"" | b"." | b"_" | b"__") || between.iter().all(|byte| *byte == b'-')
        })
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=LONGEST_TAG).contains(&tag.len())
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

    #[test]
    fn references_with_a_digest() {
        let long = "a".repeat(255);
        for name in [
            "nginx",
            "library/nginx",
            "postgres:12",
            "docker:27-dind",
            "registry.example.org/web",
            "registry.example.org:5000/a/b/c:1.2",
            "192.0.2.1:5000/web",
            "[2001:db8::1]:5000/web",
            "[2001:db8::1]/web",
            "localhost/web",
            "HOST/web",
            "a.b/c__d/e--f/g.h_i",
            "web:_Tag.1-x",
            "oci/web",
            "dir",
            &long,
        ] {
            assert_eq!(kind(&format!("{name}@{DIGEST}")), Kind::Pinned, "{name}");
            assert_eq!(kind(name), Kind::Tagged, "{name}");
        }
    }

    #[test]
    fn digests_that_are_none() {
        let one_more = format!("{DIGEST}0");
        let capital = DIGEST.to_uppercase().replace("SHA", "sha");
        for digest in
            ["", "sha256:", &DIGEST[..70], &one_more, &capital, "sha512:00", &format!("{DIGEST}@{DIGEST}")]
        {
            assert_eq!(kind(&format!("web@{digest}")), Kind::NotPinned, "{digest}");
        }
    }

    #[test]
    fn what_is_no_reference() {
        let long = "a".repeat(256);
        for name in [
            "", ":", "/", "a//b", "/a", "a/", "-a", "a-", ".a", "a..b", "a___b", "a._b", "A", "a/B", "a:",
            "a:-x", "a b", "a.b:/c", "a.b:x/c", "a_b.c/d", "-a.b/c", "a.b-/c", "[]/a", "[x]/a", "a:b:c",
            "$a", "ä", "a\n", &long,
        ] {
            assert_eq!(kind(&format!("{name}@{DIGEST}")), Kind::None, "{name}");
        }
        assert_eq!(kind(&format!("a:{}@{DIGEST}", "x".repeat(129))), Kind::None);
    }

    #[test]
    fn places_that_are_no_registry() {
        for place in SCHEMES {
            assert_eq!(kind(&format!("{place}:a@{DIGEST}")), Kind::Scheme, "{place}");
        }
        for place in ["docker://a/b", "https://a/b", "oci:5000/a"] {
            assert_eq!(kind(&format!("{place}@{DIGEST}")), Kind::Scheme, "{place}");
        }
    }
}
