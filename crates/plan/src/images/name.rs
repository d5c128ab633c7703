//! An image by the name under which the engine keeps it.
//!
//! Follows the reference package of the distribution project: a name without a registry is one of Docker Hub, and a name
//! of one part there lies in `library/`. The image of the guest OS (`registries.conf`) says the same.

use super::reference::{self, Kind};

/// What a name without a registry means.
const DOCKER_HUB: &str = "docker.io";

/// A reference with a digest, taken apart. Its tag is gone: the engine goes by the digest alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageName {
    registry: String,
    repository: String,
    digest: String,
}

impl ImageName {
    /// Reads `[host[:port]/]path[:tag]@sha256:digest`; none where there is no digest, or no reference.
    pub fn parse(reference: &str) -> Option<ImageName> {
        if reference::kind(reference) != Kind::Pinned {
            return None;
        }
        let (name, digest) = reference.split_once('@')?;
        let name = match name.rsplit_once(':') {
            Some((before, tag)) if !tag.contains('/') => before,
            _ => name,
        };
        let (registry, repository) = match name.split_once('/') {
            Some((host, path)) if reference::is_registry(host) => (host, path.to_owned()),
            _ => (DOCKER_HUB, name.to_owned()),
        };
        let registry = registry_of(registry);
        let bare = registry == DOCKER_HUB && !repository.contains('/');
        let repository = if bare { format!("library/{repository}") } else { repository };
        Some(ImageName { registry: registry.to_owned(), repository, digest: digest.to_owned() })
    }

    /// The registry: host, and port where there is one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// `sha256:` and 64 digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The whole name: `registry/repository@digest`.
    pub fn pinned(&self) -> String {
        format!("{}/{}@{}", self.registry, self.repository, self.digest)
    }
}

/// Docker Hub has several names, which mean one.
pub(super) fn registry_of(host: &str) -> &str {
    match host {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

    #[test]
    fn a_name_is_completed_as_the_engine_does() {
        for (given, whole) in [
            ("nginx", "docker.io/library/nginx"),
            ("postgres:12", "docker.io/library/postgres"),
            ("s390x/redis", "docker.io/s390x/redis"),
            ("docker.io/nginx", "docker.io/library/nginx"),
            ("index.docker.io/nginx", "docker.io/library/nginx"),
            ("localhost/web", "localhost/web"),
            ("192.0.2.1:5000/a/b:1.2", "192.0.2.1:5000/a/b"),
            ("[2001:db8::1]:5000/web", "[2001:db8::1]:5000/web"),
            ("registry.example.org/web", "registry.example.org/web"),
        ] {
            let name = ImageName::parse(&format!("{given}@{DIGEST}")).unwrap();
            assert_eq!(name.pinned(), format!("{whole}@{DIGEST}"), "{given}");
            assert_eq!(name.digest(), DIGEST);
            assert!(whole.starts_with(&format!("{}/", name.registry())), "{given}");
        }
        for none in ["nginx", "nginx:1", "dir:a", "", &format!("A@{DIGEST}")] {
            assert_eq!(ImageName::parse(none), None, "{none}");
        }
    }
}
