//! What the engine's interface says of an image that it has.
//!
//! `images/NAME/json` of the libpod interface, version 4. Fields that are not used are passed over:
//! there are many, and they change.

use serde::Deserialize;

use super::name::ImageName;
use super::signatures::{SignatureRules, Signer};
use crate::report::transcript::ImageRecord;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    digest: String,
    repo_digests: Vec<String>,
    #[serde(default)]
    repo_tags: Vec<String>,
}

/// What the engine has under the name of the image that was asked for, and whose signatures were demanded of it.
///
/// # Errors
/// What was expected of its answer.
pub fn inspected(
    status: u16,
    body: &[u8],
    image: &ImageName,
    rules: &SignatureRules,
) -> Result<ImageRecord, &'static str> {
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
    let names = if image.is_pinned() { &found.repo_digests } else { &found.repo_tags };
    if !names.contains(&image.whole()) {
        return Err("expected the name that the image was asked for by");
    }
    let mut signers: Vec<Signer> =
        rules.covering(image).into_iter().flat_map(|rule| rule.signers()).cloned().collect();
    signers.sort();
    signers.dedup();
    Ok(ImageRecord {
        reference: image.whole(),
        manifest: found.digest,
        config: format!("sha256:{}", found.id),
        signers,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const DIGEST: &str = "sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

    #[test]
    fn what_the_engine_has_is_what_was_asked_for() {
        let image = ImageName::parse(&format!("web@{DIGEST}")).unwrap();
        let rules = SignatureRules::default();
        let (instance, id) = (format!("sha256:{}", "1".repeat(64)), "2".repeat(64));
        let answer = |names: &[&str], digest: &str, id: &str| {
            let names: Vec<String> = names.iter().map(|name| format!("docker.io/library/{name}")).collect();
            json!({"Id": id, "Digest": digest, "RepoDigests": names, "Size": 1}).to_string()
        };
        let pinned = format!("web@{DIGEST}");
        let good = answer(&[&format!("web@{instance}"), &pinned], &instance, &id);
        assert_eq!(
            inspected(200, good.as_bytes(), &image, &rules),
            Ok(ImageRecord {
                reference: format!("docker.io/library/{pinned}"),
                manifest: instance.clone(),
                config: format!("sha256:{id}"),
                signers: Vec::new(),
            })
        );
        let tagged = ImageName::parse("web:1").unwrap();
        let named = |tags: Value| {
            json!({"Id": id, "Digest": instance, "RepoDigests": [], "RepoTags": tags}).to_string()
        };
        let found = inspected(200, named(json!(["docker.io/library/web:1"])).as_bytes(), &tagged, &rules);
        assert_eq!(found.unwrap().reference, "docker.io/library/web:1");
        let found = inspected(200, named(json!(["docker.io/library/web:2"])).as_bytes(), &tagged, &rules);
        assert_eq!(found, Err("expected the name that the image was asked for by"));
        let other = "expected the name that the image was asked for by";
        for (body, expected) in [
            (answer(&[&format!("web@{instance}")], &instance, &id), other),
            (answer(&[], &instance, &id), other),
            (answer(&[&pinned], "sha256:1", &id), "expected digests of an image"),
            (answer(&[&pinned], &instance, "x"), "expected digests of an image"),
            ("[]".into(), "expected id, digest and names of an image"),
        ] {
            assert_eq!(inspected(200, body.as_bytes(), &image, &rules), Err(expected), "{body}");
        }
        let missing = "expected an image of this name in the engine's storage";
        assert_eq!(inspected(404, b"{}", &image, &rules), Err(missing));
    }
}
