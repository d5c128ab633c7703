//! An image by the name under which the engine keeps it.
//!
//! Follows the reference package of the distribution project: a name without a registry is one of Docker Hub, and a name
//! of one part there lies in `library/`. The image of the guest OS (`registries.conf`) says the same.

use serde::{Deserialize, Serialize};

use super::reference::{self, Kind};

/// What a name without a registry means.
const DOCKER_HUB: &str = "docker.io";

/// What a reference without tag and digest means.
const LATEST: &str = "latest";

/// A reference, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageName {
    registry: String,
    repository: String,
    version: Version,
}

/// Which image of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Version {
    /// By its content: `sha256:` and 64 digits. A tag beside it is gone: the engine goes by the digest alone.
    Digest(String),
    /// By a name that the registry may give to another image.
    Tag(String),
}

impl ImageName {
    /// Reads `[host[:port]/]path[:tag][@sha256:digest]`; none where it is no reference, or the digest has another form.
    pub fn parse(reference: &str) -> Option<ImageName> {
        if !matches!(reference::kind(reference), Kind::Pinned | Kind::Tagged) {
            return None;
        }
        let (name, digest) = match reference.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (reference, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((before, tag)) if !tag.contains('/') => (before, Some(tag)),
            _ => (name, None),
        };
        let version = match digest {
            Some(digest) => Version::Digest(digest.to_owned()),
            None => Version::Tag(tag.unwrap_or(LATEST).to_owned()),
        };
        let (registry, repository) = repository(name);
        Some(ImageName { registry, repository, version })
    }

    /// The registry: host, and port where there is one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Path within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Which image of the repository.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Whether it is named by digest.
    pub fn is_pinned(&self) -> bool {
        matches!(self.version, Version::Digest(_))
    }

    /// The whole name: `registry/repository@digest` or `registry/repository:tag`.
    pub fn whole(&self) -> String {
        match &self.version {
            Version::Digest(digest) => self.with_digest(digest),
            Version::Tag(tag) => format!("{}/{}:{tag}", self.registry, self.repository),
        }
    }

    /// The same repository's image with this digest.
    pub fn with_digest(&self, digest: &str) -> String {
        format!("{}/{}@{digest}", self.registry, self.repository)
    }
}

/// Registry and repository of a name without tag and digest.
pub(super) fn repository(name: &str) -> (String, String) {
    let (registry, repository) = match name.split_once('/') {
        Some((host, path)) if reference::is_registry(host) => (host, path.to_owned()),
        _ => (DOCKER_HUB, name.to_owned()),
    };
    let registry = registry_of(registry);
    let bare = registry == DOCKER_HUB && !repository.contains('/');
    let repository = if bare { format!("library/{repository}") } else { repository };
    (registry.to_owned(), repository)
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
            assert_eq!(name.whole(), format!("{whole}@{DIGEST}"), "{given}");
            assert_eq!(name.version(), &Version::Digest(DIGEST.to_owned()));
            assert_eq!(format!("{}/{}", name.registry(), name.repository()), whole, "{given}");
        }
        for (given, whole) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.2", "docker.io/library/nginx:1.2"),
            ("192.0.2.1:5000/web", "192.0.2.1:5000/web:latest"),
            ("192.0.2.1:5000/web:1", "192.0.2.1:5000/web:1"),
        ] {
            assert_eq!(ImageName::parse(given).unwrap().whole(), whole);
        }
        for none in ["dir:a", "", "nginx@sha256:00", "nginx:", &format!("A@{DIGEST}")] {
            assert_eq!(ImageName::parse(none), None, "{none}");
        }
    }
}
