//! Registry credentials: how they cross the handover, and which of them an image is pulled with.
//!
//! The engine's interface takes them in a header (`X-Registry-Auth`: JSON in URL-safe base64), one pair for one image. So
//! the file of the handover has that header for each entry of `auths`, and nobody has to put a password into anything
//! again.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use countersign_crypto::secret::{RegistryPassword, SecretBytes};
use zeroize::Zeroizing;

use super::authorities::registry_of_entry;
use super::name::ImageName;

/// Renders the file for these entries: name, user, password.
pub fn file<'a>(credentials: impl Iterator<Item = (&'a str, &'a str, &'a RegistryPassword)>) -> SecretBytes {
    let entries: Vec<Zeroizing<String>> = credentials
        .map(|(entry, user, password)| {
            // Escaped, a character takes up to six bytes.
            let room = 40 + 6 * (user.len() + password.expose().len());
            let mut pair = Zeroizing::new(Vec::with_capacity(room));
            pair.extend_from_slice(b"{\"username\":");
            string(user, &mut pair);
            pair.extend_from_slice(b",\"password\":");
            string(password.expose(), &mut pair);
            pair.push(b'}');
            let key = serde_json::Value::from(place(entry)).to_string();
            let mut rendered =
                Zeroizing::new(String::with_capacity(key.len() + 3 + pair.len().div_ceil(3) * 4));
            rendered.push_str(&key);
            rendered.push_str(":\"");
            URL_SAFE.encode_string(pair.as_slice(), &mut rendered);
            rendered.push('"');
            rendered
        })
        .collect();
    let mut text =
        Zeroizing::new(String::with_capacity(2 + entries.iter().map(|entry| entry.len() + 1).sum::<usize>()));
    text.push('{');
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(entry);
    }
    text.push('}');
    SecretBytes::copy_from(text.as_bytes())
}

/// The header for an image, of the entry that names most of it; none where no entry is for it.
///
/// # Errors
/// When the file is not one that [`file`] made.
pub fn header(file: &[u8], image: &ImageName) -> Result<Option<SecretBytes>, serde_json::Error> {
    // Nothing in it is escaped, so nothing is copied.
    let entries: BTreeMap<&str, &str> = serde_json::from_slice(file)?;
    let found = image.places().find_map(|place| entries.get(place.as_str()));
    Ok(found.map(|header| SecretBytes::copy_from(header.as_bytes())))
}

/// A JSON string, written where room is.
fn string(text: &str, into: &mut Vec<u8>) {
    // Writing to a vector does not fail.
    let _ = serde_json::to_writer(into, text);
}

/// What an entry is for: a registry, or a part of one.
fn place(entry: &str) -> String {
    if entry.contains("://") {
        return registry_of_entry(entry).to_owned();
    }
    match entry.trim_end_matches('/').split_once('/') {
        Some((_, path)) => format!("{}/{path}", registry_of_entry(entry)),
        None => registry_of_entry(entry).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(file: &SecretBytes, image: &str) -> Option<String> {
        let digest = "sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";
        let image = ImageName::parse(&format!("{image}@{digest}")).unwrap();
        header(file.expose(), &image)
            .unwrap()
            .map(|header| String::from_utf8(header.expose().to_vec()).unwrap())
    }

    #[test]
    fn an_image_is_pulled_with_the_entry_that_names_most_of_it() {
        let (one, two, three) = (
            RegistryPassword::copy_from("open sesame"),
            RegistryPassword::copy_from("q\"uoted\\"),
            RegistryPassword::copy_from("three"),
        );
        let file = file(
            [
                ("registry.example.org:5000", "reader", &one),
                ("registry.example.org:5000/team", "team", &two),
                ("https://index.docker.io/v1/", "me", &three),
            ]
            .into_iter(),
        );
        // printf '{"username":"reader","password":"open sesame"}' | basenc --base64url
        let reader = "eyJ1c2VybmFtZSI6InJlYWRlciIsInBhc3N3b3JkIjoib3BlbiBzZXNhbWUifQ==";
        assert_eq!(header_of(&file, "registry.example.org:5000/web").as_deref(), Some(reader));
        assert_eq!(header_of(&file, "registry.example.org:5000/teams/web").as_deref(), Some(reader));
        // printf '{"username":"team","password":"q\\"uoted\\\\"}' | basenc --base64url
        let team = "eyJ1c2VybmFtZSI6InRlYW0iLCJwYXNzd29yZCI6InFcInVvdGVkXFwifQ==";
        assert_eq!(header_of(&file, "registry.example.org:5000/team/web").as_deref(), Some(team));
        // printf '{"username":"me","password":"three"}' | basenc --base64url
        let hub = "eyJ1c2VybmFtZSI6Im1lIiwicGFzc3dvcmQiOiJ0aHJlZSJ9";
        assert_eq!(header_of(&file, "nginx").as_deref(), Some(hub));
        for other in ["registry.example.org/web", "other.example/web"] {
            assert_eq!(header_of(&file, other), None, "{other}");
        }
    }

    #[test]
    fn what_is_not_such_a_file_is_an_error() {
        let image = ImageName::parse(&format!("web@sha256:{}", "0".repeat(64))).unwrap();
        assert!(header(b"{\"auths\":{}}", &image).is_err());
        assert!(header(b"{}", &image).unwrap().is_none());
    }
}
