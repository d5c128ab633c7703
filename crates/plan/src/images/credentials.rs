//! Registry credentials in the form that container engines share: `auth.json`, also known as docker's
//! `config.json`. Documented in containers-auth.json(5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_crypto::secret::{RegistryPassword, SecretBytes};
use zeroize::Zeroizing;

/// Renders `auth.json` for the registries given: name, user, password.
///
/// Registry names come from the schema's pattern, so they hold no character that JSON would have to escape;
/// they are escaped all the same.
pub fn auth_json<'a>(
    credentials: impl Iterator<Item = (&'a str, &'a str, &'a RegistryPassword)>,
) -> SecretBytes {
    let mut entries: Vec<Zeroizing<String>> = Vec::new();
    for (registry, user, password) in credentials {
        let mut pair = Zeroizing::new(String::with_capacity(user.len() + 1 + password.expose().len()));
        pair.push_str(user);
        pair.push(':');
        pair.push_str(password.expose());
        let mut encoded = Zeroizing::new(String::with_capacity(pair.len().div_ceil(3) * 4));
        STANDARD.encode_string(pair.as_bytes(), &mut encoded);
        let name = serde_json::Value::from(registry).to_string();
        let mut entry = Zeroizing::new(String::with_capacity(name.len() + encoded.len() + 12));
        entry.push_str(&name);
        entry.push_str(r#":{"auth":""#);
        entry.push_str(&encoded);
        entry.push_str(r#""}"#);
        entries.push(entry);
    }
    let size = 12 + entries.iter().map(|entry| entry.len() + 1).sum::<usize>();
    let mut text = Zeroizing::new(String::with_capacity(size));
    text.push_str(r#"{"auths":{"#);
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(entry);
    }
    text.push_str("}}");
    SecretBytes::copy_from(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_registries() {
        let password = RegistryPassword::copy_from("open sesame");
        let file = auth_json(
            [
                ("registry.example.org:5000", "reader", &password),
                ("https://index.docker.io/v1/", "me", &password),
            ]
            .into_iter(),
        );
        // printf 'reader:open sesame' | base64
        assert_eq!(
            std::str::from_utf8(file.expose()).unwrap(),
            concat!(
                r#"{"auths":{"registry.example.org:5000":{"auth":"cmVhZGVyOm9wZW4gc2VzYW1l"},"#,
                r#""https://index.docker.io/v1/":{"auth":"bWU6b3BlbiBzZXNhbWU="}}}"#
            )
        );
    }
}
