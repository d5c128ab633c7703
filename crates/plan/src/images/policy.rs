//! What the engine may copy into its storage, and where it looks for signatures: the files of containers-policy.json(5) and
//! containers-registries.d(5).
//!
//! The engine asks the policy for whatever it copies, from wherever; what is not there is refused. An image is accepted under
//! its whole name alone. Its digest, which the engine compares with what it receives, vouches for it, or the signatures of
//! its rules, all of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::name::ImageName;
use super::signatures::{SignatureRule, SignatureRules};

/// Where the policy lies, in memory; the engine's own place in the guest OS, which is read-only, is a link to it.
pub const FILE: &str = "/run/countersign-engine/policy.json";

/// Where the engine is told of places with signatures: the only file of a folder that a link leads to. JSON is YAML.
pub const PLACES: &str = "/run/countersign-engine/registries.d/countersign.yaml";

/// Nothing is accepted: before the images are known, and once they are there.
pub fn nothing() -> String {
    json!({"default": [{"type": "reject"}]}).to_string()
}

/// These images are accepted, and nothing else.
pub fn these(images: &[ImageName], rules: &SignatureRules) -> String {
    let scopes: Map<String, Value> = images
        .iter()
        .filter_map(|image| {
            let demanded: Vec<Value> = rules.covering(image).into_iter().flat_map(demands).collect();
            if !demanded.is_empty() {
                return Some((image.whole(), Value::from(demanded)));
            }
            image.is_pinned().then(|| (image.whole(), json!([{"type": "insecureAcceptAnything"}])))
        })
        .collect();
    json!({"default": [{"type": "reject"}], "transports": {"docker": scopes}}).to_string()
}

/// What a rule demands of an image.
fn demands(rule: &SignatureRule) -> Vec<Value> {
    let signed_as = rule
        .signed_as
        .as_ref()
        .map(|repository| json!({"type": "exactRepository", "dockerRepository": repository}));
    let simple = rule.simple_signing.as_ref().map(|keys| {
        // A simple signature names tag and repository; of an image that is pulled by digest the repository is enough.
        let identity = signed_as.clone().unwrap_or_else(|| json!({"type": "matchRepoDigestOrExact"}));
        json!({"type": "signedBy", "keyType": "GPGKeys", "keyData": keys, "signedIdentity": identity})
    });
    let cosign = rule.cosign.as_ref().map(|key| {
        // One of cosign's names the repository alone.
        let identity = signed_as.clone().unwrap_or_else(|| json!({"type": "matchRepository"}));
        json!({"type": "sigstoreSigned", "keyData": STANDARD.encode(key), "signedIdentity": identity})
    });
    simple.into_iter().chain(cosign).collect()
}

/// Where signatures of these images are looked for; none where their registries serve all that is demanded themselves.
pub fn places(images: &[ImageName], rules: &SignatureRules) -> Option<String> {
    let mut places = Map::new();
    for image in images {
        let mut place = Map::new();
        for rule in rules.covering(image) {
            if let Some(address) = &rule.lookaside {
                place.insert("lookaside".to_owned(), json!(address));
            }
            if rule.cosign.is_some() {
                place.insert("use-sigstore-attachments".to_owned(), json!(true));
            }
        }
        if !place.is_empty() {
            places.insert(image.whole(), Value::from(place));
        }
    }
    (!places.is_empty()).then(|| json!({"docker": places}).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_is_refused() {
        let digest = "sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";
        let images =
            [format!("web@{digest}"), "web:1".to_owned()].map(|name| ImageName::parse(&name).unwrap());
        assert_eq!(
            serde_json::from_str::<Value>(&these(&images, &SignatureRules::default())).unwrap(),
            json!({
                "default": [{"type": "reject"}],
                "transports": {"docker": {
                    (format!("docker.io/library/web@{digest}")): [{"type": "insecureAcceptAnything"}]
                }}
            })
        );
        assert_eq!(nothing(), r#"{"default":[{"type":"reject"}]}"#);
        assert_eq!(places(&images, &SignatureRules::default()), None);
    }
}
