//! What is started, with its images by digest: once the engine has them, the names under which they were pulled are
//! replaced by what it has. A tag that means another image by then means nothing.

use std::collections::BTreeMap;

use countersign_crypto::secret::SecretBytes;
use serde_json::Value;

use super::json::{read, write};
use super::play::BETWEEN;

/// The canonical model of a compose project; none where the text is not [`super::canonical::Canonical::text`].
pub fn compose(text: &[u8], digests: &BTreeMap<String, String>) -> Option<SecretBytes> {
    let mut model = read(std::str::from_utf8(text).ok()?).ok()?;
    for service in model.get_mut("services")?.as_object_mut()?.values_mut() {
        name(service.get_mut("image"), digests);
    }
    write(&model).ok()
}

/// The documents of pods; none where the text is not [`super::play::Played::text`].
pub fn pods(text: &[u8], digests: &BTreeMap<String, String>) -> Option<SecretBytes> {
    let mut all = Vec::new();
    for document in std::str::from_utf8(text).ok()?.split(BETWEEN) {
        let mut document = read(document).ok()?;
        if document.get("kind")?.as_str() == Some("Pod") {
            let spec = document.get_mut("spec")?;
            for list in ["initContainers", "containers"] {
                for container in items(spec, list) {
                    name(container.get_mut("image"), digests);
                }
            }
            for volume in items(spec, "volumes") {
                name(volume.get_mut("image").and_then(|image| image.get_mut("reference")), digests);
            }
        }
        all.push(write(&document).ok()?);
    }
    Some(super::play::joined(&all))
}

fn items<'v>(spec: &'v mut Value, list: &str) -> impl Iterator<Item = &'v mut Value> {
    spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
}

fn name(image: Option<&mut Value>, digests: &BTreeMap<String, String>) {
    if let Some(image) = image
        && let Some(digest) = image.as_str().and_then(|name| digests.get(name))
    {
        *image = Value::from(digest.as_str());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digests() -> BTreeMap<String, String> {
        [("web:1".to_owned(), "docker.io/library/web@sha256:11".to_owned())].into()
    }

    #[test]
    fn images_of_services_alone_are_replaced() {
        let model = json!({"services": {
            "a": {"image": "web:1", "environment": {"image": "web:1", "B": "\u{1f600}"}},
            "b": {"image": "other@sha256:22"},
        }});
        let text = write(&model).unwrap();
        let pinned = compose(text.expose(), &digests()).unwrap();
        let mut expected = model.clone();
        expected["services"]["a"]["image"] = json!("docker.io/library/web@sha256:11");
        assert_eq!(read(std::str::from_utf8(pinned.expose()).unwrap()).unwrap(), expected);
        for other in [&b"[]"[..], b"{", b"{\"services\": 1}"] {
            assert!(compose(other, &digests()).is_none());
        }
    }

    #[test]
    fn images_of_containers_and_volumes_alone_are_replaced() {
        let map = json!({"kind": "ConfigMap", "data": {"image": "web:1"}});
        let pod = json!({"kind": "Pod", "spec": {
            "initContainers": [{"image": "web:1"}],
            "containers": [{"image": "web:1", "args": ["web:1"]}, {"image": "other"}],
            "volumes": [{"image": {"reference": "web:1"}}, {"emptyDir": {}}],
        }});
        let texts = [write(&map).unwrap(), write(&pod).unwrap()];
        let pinned = pods(super::super::play::joined(&texts).expose(), &digests()).unwrap();
        let text = std::str::from_utf8(pinned.expose()).unwrap();
        let read: Vec<Value> = text.split(BETWEEN).map(|document| read(document).unwrap()).collect();
        let web = "docker.io/library/web@sha256:11";
        let pod = json!({"kind": "Pod", "spec": {
            "initContainers": [{"image": web}],
            "containers": [{"image": web, "args": ["web:1"]}, {"image": "other"}],
            "volumes": [{"image": {"reference": web}}, {"emptyDir": {}}],
        }});
        assert_eq!(read, [map, pod]);
        assert!(pods(b"", &digests()).is_none());
    }
}
