//! Which registries the authorities of the contract vouch for.
//!
//! `env.cacerts` is the deployer's, and has no registry of its own: HPCR believes it for every one. Credentials of the
//! workload section are the provider's. Whoever names the authority can answer as the registry and gets the credentials;
//! with `workload.countersign.policy.registries` the provider says where that is meant.

use std::collections::BTreeSet;

use super::name::{ImageName, registry_of};

/// The folder below which the engine looks for the authorities of each registry (containers-certs.d(5)).
const FOLDER: &str = "/run/countersign-engine/certs.d";

/// The registry that an entry of `auths` is for: `https://index.docker.io/v1/`, `host[:port]`, `host[:port]/path`.
pub fn registry_of_entry(entry: &str) -> &str {
    let plain = entry.strip_prefix("https://").or_else(|| entry.strip_prefix("http://")).unwrap_or(entry);
    registry_of(plain.split('/').next().unwrap_or(plain))
}

/// Where the authorities go so that the engine believes them for these images' registries, but for `others`.
pub fn files(images: &[ImageName], others: &[String]) -> Vec<String> {
    let registries: BTreeSet<&str> = images.iter().map(ImageName::registry).collect();
    let own = registries.into_iter().filter(|registry| !others.iter().any(|other| other == registry));
    own.map(|registry| format!("{FOLDER}/{registry}/ca.crt")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registry_once_but_for_those_of_somebody_else() {
        let digest = "sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";
        let images: Vec<ImageName> = ["a.example:5000/x", "a.example:5000/y", "b.example/x", "web"]
            .iter()
            .map(|name| ImageName::parse(&format!("{name}@{digest}")).unwrap())
            .collect();
        assert_eq!(
            files(&images, &["b.example".into()]),
            [format!("{FOLDER}/a.example:5000/ca.crt"), format!("{FOLDER}/docker.io/ca.crt")]
        );
    }

    #[test]
    fn an_entry_is_for_a_registry() {
        for (entry, registry) in [
            ("https://index.docker.io/v1/", "docker.io"),
            ("registry-1.docker.io", "docker.io"),
            ("us.icr.io", "us.icr.io"),
            ("us.icr.io/namespace", "us.icr.io"),
            ("192.0.2.1:5000", "192.0.2.1:5000"),
        ] {
            assert_eq!(registry_of_entry(entry), registry, "{entry}");
        }
    }
}
