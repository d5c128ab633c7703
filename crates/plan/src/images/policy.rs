//! What the engine may copy into its storage: the file of containers-policy.json(5).
//!
//! The engine asks it for whatever it copies, from wherever; what is not there is refused. An image is accepted under its
//! whole name, digest included, which the engine compares with what it receives.

use serde_json::{Map, Value, json};

use super::name::ImageName;

/// Where the file lies, in memory; the engine's own place in the guest OS, which is read-only, is a link to it.
pub const FILE: &str = "/run/countersign-engine/policy.json";

/// Nothing is accepted: before the images are known, and once they are there.
pub fn nothing() -> String {
    json!({"default": [{"type": "reject"}]}).to_string()
}

/// These images are accepted, and nothing else.
pub fn these(images: &[ImageName]) -> String {
    let scopes: Map<String, Value> =
        images.iter().map(|image| (image.pinned(), json!([{"type": "insecureAcceptAnything"}]))).collect();
    json!({"default": [{"type": "reject"}], "transports": {"docker": scopes}}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_is_refused() {
        let digest = "sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";
        let image = ImageName::parse(&format!("web@{digest}")).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&these(&[image])).unwrap(),
            json!({
                "default": [{"type": "reject"}],
                "transports": {"docker": {
                    (format!("docker.io/library/web@{digest}")): [{"type": "insecureAcceptAnything"}]
                }}
            })
        );
        assert_eq!(nothing(), r#"{"default":[{"type":"reject"}]}"#);
    }
}
