//! What the engine's interface says of an image that it has.
//!
//! `images/NAME/json` of the libpod interface, version 4. Fields that are not used are passed over:
//! there are many, and they change.

use serde::Deserialize;

use super::name::ImageName;
use crate::report::transcript::ImageRecord;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    digest: String,
    repo_digests: Vec<String>,
}

/// What the engine has under the name of the image that was asked for.
///
/// # Errors
/// What was expected of its answer.
pub fn inspected(status: u16, body: &[u8], image: &ImageName) -> Result<ImageRecord, &'static str> {
    if status != 200 {
        return Err("expected an image of this name in the engine's storage");
    }
    let found: Inspected =
        serde_json::from_slice(body).map_err(|_| "expected id, digest and names of an image")?;
    let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digest_ok = found.digest.strip_prefix("sha256:").is_some_and(is_hex);
    if !digest_ok || !is_hex(&found.id) {
        return Err("expected digests of an image");
    }
    if !found.repo_digests.contains(&image.pinned()) {
        return Err("expected the digest that the image was asked for by");
    }
    Ok(ImageRecord {
        reference: image.pinned(),
        manifest: found.digest,
        config: format!("sha256:{}", found.id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

    #[test]
    fn what_the_engine_has_is_what_was_asked_for() {
        let image = ImageName::parse(&format!("web@{DIGEST}")).unwrap();
        let (instance, id) = (format!("sha256:{}", "1".repeat(64)), "2".repeat(64));
        let answer = |names: &[&str], digest: &str, id: &str| {
            let names: Vec<String> = names.iter().map(|name| format!("docker.io/library/{name}")).collect();
            serde_json::json!({"Id": id, "Digest": digest, "RepoDigests": names, "Size": 1}).to_string()
        };
        let pinned = format!("web@{DIGEST}");
        let good = answer(&[&format!("web@{instance}"), &pinned], &instance, &id);
        assert_eq!(
            inspected(200, good.as_bytes(), &image),
            Ok(ImageRecord {
                reference: format!("docker.io/library/{pinned}"),
                manifest: instance.clone(),
                config: format!("sha256:{id}"),
            })
        );
        let other = "expected the digest that the image was asked for by";
        for (body, expected) in [
            (answer(&[&format!("web@{instance}")], &instance, &id), other),
            (answer(&[], &instance, &id), other),
            (answer(&[&pinned], "sha256:1", &id), "expected digests of an image"),
            (answer(&[&pinned], &instance, "x"), "expected digests of an image"),
            ("[]".into(), "expected id, digest and names of an image"),
        ] {
            assert_eq!(inspected(200, body.as_bytes(), &image), Err(expected), "{body}");
        }
        let missing = "expected an image of this name in the engine's storage";
        assert_eq!(inspected(404, b"{}", &image), Err(missing));
    }
}
