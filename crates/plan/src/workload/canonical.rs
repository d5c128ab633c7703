//! The canonical model of a compose project: what the compose program makes of the author's files, judged by the rules for
//! those files, and the only thing that is started.
//!
//! `docker-compose config` merges files, replaces variables and writes every short form out. What it prints is edited
//! here, written anew and judged as it will be read; nothing of the author's files is read after that. So a difference
//! between this program's reading of them and the compose program's cannot start anything that was not judged.
//!
//! Edited is what the engine does not know and can do without, what would lead a container's lines past the log server,
//! and what the compose program prints otherwise than it reads it (compose-go 2.4.8).

use countersign_crypto::secret::SecretBytes;
use serde_json::{Map, Value, json};

use crate::images::signatures::SignatureRules;

use super::compose::{self, ComposeFault, ComposeNotice, ComposeRefusal, Surroundings};
use super::json::write;
use super::reach::{ReachRule, is_hyperprotect};

/// Bytes of a model: an archive's files may all be in it, as variables of services.
pub const MAX_BYTES: usize = 4 << 20;

/// A model that may be started.
pub struct Canonical {
    /// What the compose program is given: JSON in the letters of ASCII, with escapes of YAML.
    pub text: SecretBytes,
    /// The images of all services, each once.
    pub images: Vec<String>,
    /// What the owner of the workload should know; their lines are the text's.
    pub notices: Vec<ComposeNotice>,
}

impl std::fmt::Debug for Canonical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canonical").field("images", &self.images).finish_non_exhaustive()
    }
}

/// Why a model is not started. No value of it is told.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalRefusal {
    /// Not JSON, too large, or without services.
    #[error("expected the compose program's model: JSON of at most 4 MiB with services")]
    Model,
    /// A rule for compose files.
    #[error("{}", .0.first().map(|refusal| refusal.fault.to_string()).unwrap_or_default())]
    Compose(Vec<ComposeRefusal>),
}

/// Edits and judges a model.
///
/// # Errors
/// [`CanonicalRefusal`].
pub fn canonical(
    model: &[u8],
    reach: &ReachRule,
    signed: &SignatureRules,
) -> Result<Canonical, CanonicalRefusal> {
    if model.len() > MAX_BYTES {
        return Err(CanonicalRefusal::Model);
    }
    let mut model: Value = serde_json::from_slice(model).map_err(|_| CanonicalRefusal::Model)?;
    edit(&mut model).ok_or(CanonicalRefusal::Model)?;
    let text = write(&model).map_err(|_| CanonicalRefusal::Model)?;
    let readable = std::str::from_utf8(text.expose()).map_err(|_| CanonicalRefusal::Model)?;
    let around = Surroundings {
        // Every dollar sign is written twice, and every path is whole.
        lookup: &|_| None,
        files: &|_| Some(compose::Found::Folder),
        profiles: &[],
        reach,
        signed,
    };
    let judged = compose::judge(readable, &around).map_err(|refusals| match refusals.first() {
        // Names in the model may come from a variable. The program never prints what refers to nothing.
        Some(ComposeRefusal {
            fault: ComposeFault::Undefined { .. } | ComposeFault::Inactive { .. },
            ..
        }) => CanonicalRefusal::Model,
        _ => CanonicalRefusal::Compose(refusals),
    })?;
    Ok(Canonical { text, images: judged.images, notices: judged.notices })
}

/// `None` where it has not the form of a model.
fn edit(model: &mut Value) -> Option<()> {
    let model = model.as_object_mut()?;
    model.retain(|key, _| !key.starts_with("x-"));
    let services = model.get_mut("services")?.as_object_mut()?;
    let names: Vec<String> = services.keys().cloned().collect();
    for service in services.values_mut() {
        edit_service(service.as_object_mut()?, &names);
    }
    Some(())
}

fn edit_service(service: &mut Map<String, Value>, names: &[String]) {
    // The journal takes every line; what runs was chosen by its profile already; nothing is pulled; nobody develops here.
    for key in ["logging", "profiles", "pull_policy", "develop"] {
        service.remove(key);
    }
    if let Some(health) = service.get_mut("healthcheck").and_then(Value::as_object_mut) {
        health.remove("start_interval");
    }
    // A service of another profile that this one can do without.
    if let Some(needed) = service.get_mut("depends_on").and_then(Value::as_object_mut) {
        needed.retain(|name, condition| {
            names.contains(name) || condition.get("required") != Some(&Value::Bool(false))
        });
    }
    // The name of a service is known to its neighbours without a link, and the model waits for it anyway.
    if let Some(links) = service.get_mut("links").and_then(Value::as_array_mut) {
        links.retain(|link| {
            let link = link.as_str().unwrap_or_default();
            link.split_once(':').is_some_and(|(service, name)| service != name)
        });
        if links.is_empty() {
            service.remove("links");
        }
    }
    // Printed as text, which may not be negative when it is read.
    for (_, size) in service.iter_mut().filter(|(key, _)| key.starts_with("mem")) {
        if let Some(negative) =
            size.as_str().and_then(|text| text.parse::<i64>().ok()).filter(|size| *size < 0)
        {
            *size = json!(negative);
        }
    }
    let block_io = service.get_mut("blkio_config").and_then(Value::as_object_mut);
    for limit in block_io.into_iter().flat_map(Map::values_mut).filter_map(Value::as_array_mut).flatten() {
        if let Some(limit) = limit.as_object_mut() {
            // Printed with capital letters, read without.
            *limit = std::mem::take(limit)
                .into_iter()
                .map(|(key, value)| (key.to_ascii_lowercase(), value))
                .collect();
        }
    }
    let limits = service.get_mut("ulimits").and_then(Value::as_object_mut);
    for limit in limits.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        // No zero is printed, and both are demanded.
        limit.entry("soft").or_insert(json!(0));
        limit.entry("hard").or_insert(json!(0));
    }
    let mounts = service.get_mut("volumes").and_then(Value::as_array_mut);
    for mount in mounts.into_iter().flatten().filter_map(Value::as_object_mut) {
        let source = mount.get("source").and_then(Value::as_str).unwrap_or_default();
        if is_hyperprotect(source) {
            mount.insert("read_only".to_owned(), Value::Bool(true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::compose::Notice;
    use crate::workload::reach::Sections;

    const IMAGE: &str =
        "registry.example.org/web@sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

    /// A model with one service, `web`, with these keys beside its image.
    fn model(keys: Value) -> Vec<u8> {
        let mut model = json!({"name": "compose", "services": {"web": {"image": IMAGE}}});
        let web = model["services"]["web"].as_object_mut().unwrap();
        web.extend(keys.as_object().unwrap().clone());
        serde_json::to_vec(&model).unwrap()
    }

    fn rule(refuse: bool) -> ReachRule {
        ReachRule { volumes: vec!["/mnt/data".to_owned()], refuse, ..ReachRule::default() }
    }

    fn edited(keys: Value) -> Value {
        let canonical = canonical(&model(keys), &rule(false), &SignatureRules::default()).unwrap();
        assert_eq!(canonical.images, [IMAGE]);
        let mut model: Value = serde_json::from_slice(canonical.text.expose()).unwrap();
        let web = model["services"]["web"].as_object_mut().unwrap();
        web.remove("image");
        model["services"]["web"].take()
    }

    fn refused(keys: Value) -> ComposeFault {
        match canonical(&model(keys), &rule(false), &SignatureRules::default()) {
            Err(CanonicalRefusal::Compose(mut refusals)) => refusals.remove(0).fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_engine_can_do_without_is_taken_out() {
        for (keys, expected) in [
            (
                json!({"logging": {"driver": "json-file"}, "profiles": ["x"], "pull_policy": "always"}),
                json!({}),
            ),
            (
                json!({"healthcheck": {"test": ["CMD", "x"], "start_interval": "1s"}}),
                json!({"healthcheck": {"test": ["CMD", "x"]}}),
            ),
            (
                json!({"depends_on": {"other": {"condition": "service_started", "required": false}}}),
                json!({"depends_on": {}}),
            ),
            (
                json!({"memswap_limit": "-1", "mem_limit": "5"}),
                json!({"memswap_limit": -1, "mem_limit": "5"}),
            ),
            (json!({"links": ["web", "web:web"]}), json!({})),
            (
                json!({"blkio_config": {"weight": 3, "device_read_bps": [{"Path": "/dev/x", "Rate": "1"}]}}),
                json!({"blkio_config": {"weight": 3, "device_read_bps": [{"path": "/dev/x", "rate": "1"}]}}),
            ),
            (
                json!({"ulimits": {"core": {}, "nofile": 5, "nproc": {"hard": 2}}}),
                json!({"ulimits": {"core": {"soft": 0, "hard": 0}, "nofile": 5, "nproc": {"soft": 0, "hard": 2}}}),
            ),
            (
                json!({"volumes": [{"type": "bind", "source": "/var/hyperprotect", "target": "/h"}]}),
                json!({"volumes":
                    [{"type": "bind", "source": "/var/hyperprotect", "target": "/h", "read_only": true}]}),
            ),
        ] {
            if keys.get("links").is_none() {
                assert_eq!(edited(keys), expected);
                continue;
            }
            // A service that waits for itself is another fault.
            let mut model: Value = serde_json::from_slice(&model(keys)).unwrap();
            edit(&mut model).unwrap();
            assert_eq!(model["services"]["web"], json!({"image": IMAGE}));
        }
    }

    #[test]
    fn the_model_is_judged_by_the_rules_for_files() {
        let at = |key: &str| format!("services.web.{key}");
        let expected = "no graphics processor: the platform has none";
        assert_eq!(
            refused(json!({"gpus": [{"count": -1}]})),
            ComposeFault::Engine { at: at("gpus"), expected }
        );
        assert!(
            matches!(refused(json!({"future": 1})), ComposeFault::UnknownKey { key, .. } if key == "future")
        );
        assert!(matches!(refused(json!({"image": "web:latest"})), ComposeFault::NotPinned { .. }));
        let mount = json!({"volumes": [{"type": "bind", "source": "/run/countersign", "target": "/x"}]});
        assert!(matches!(refused(mount), ComposeFault::Reach { .. }));
        for bytes in [&b"{"[..], b"[]", b"{}", br#"{"services": []}"#, br#"{"services": {"web": 5}}"#] {
            assert!(matches!(
                canonical(bytes, &rule(false), &SignatureRules::default()),
                Err(CanonicalRefusal::Model)
            ));
        }
        let named = json!({"volumes": [{"type": "volume", "source": "canary", "target": "/x"}]});
        assert!(matches!(
            canonical(&model(named), &rule(false), &SignatureRules::default()),
            Err(CanonicalRefusal::Model)
        ));
        let large = vec![b' '; MAX_BYTES + 1];
        assert!(matches!(
            canonical(&large, &rule(false), &SignatureRules::default()),
            Err(CanonicalRefusal::Model)
        ));
    }

    #[test]
    fn ways_out_of_a_container_are_told() {
        let keys = json!({"privileged": true, "volumes": [
            {"type": "bind", "source": "/mnt/data/x", "target": "/x"},
            {"type": "bind", "source": "/data1/compose/x", "target": "/y"},
        ]});
        let told = canonical(&model(keys), &rule(false), &SignatureRules::default()).unwrap().notices;
        let what = "all devices and privileges";
        let expected = Notice::Reach { at: "service web".to_owned(), what };
        assert_eq!(told.into_iter().map(|notice| notice.notice).collect::<Vec<_>>(), [expected]);
        let refused = canonical(&model(json!({"privileged": true})), &rule(true), &SignatureRules::default())
            .unwrap_err();
        let words = "service web: expected not to reach all devices and privileges, which a policy refuses";
        assert_eq!(refused.to_string(), words);
    }

    #[test]
    fn what_the_folder_of_the_record_has_of_the_contract_is_told() {
        let mount = json!({"volumes": [{"type": "bind", "source": "/var/hyperprotect", "target": "/h"}]});
        for sections in [Sections::Neither, Sections::Workload, Sections::Env, Sections::Both] {
            let rule = ReachRule { sections, ..rule(false) };
            // The rule comes from the initramfs in the plan.
            let rule = serde_json::from_value(serde_json::to_value(&rule).unwrap()).unwrap();
            let canonical = canonical(&model(mount.clone()), &rule, &SignatureRules::default()).unwrap();
            let told: Vec<String> = canonical.notices.iter().map(|told| told.notice.to_string()).collect();
            assert_eq!(told, [format!("service web: {}", sections.told())]);
        }
    }

    #[test]
    fn letters_beyond_ascii_are_written_as_yaml_reads_them() {
        let value = "a$$b\"\\\n\t\u{7f}\u{85}\u{e4}\u{2028}\u{1f600}\u{1}";
        let text =
            canonical(&model(json!({"environment": {"A": value}})), &rule(false), &SignatureRules::default())
                .unwrap()
                .text;
        let text = std::str::from_utf8(text.expose()).unwrap();
        let expected = r#""A":"a$$b\"\\\n\t\u007f\u0085\u00e4\u2028\U0001f600\u0001""#;
        assert!(text.contains(expected), "{text}");
    }
}
