//! The views of a contract; refusals are in the tables under `tests/contracts`.

use super::*;
use crate::envelope::Envelope;
use crate::schema;

/// Certificate and key as PEM; made by openssl, because none is kept here.
fn pair() -> (String, String) {
    let folder = tempfile::tempdir().expect("folder");
    let (key, cert) = (folder.path().join("key"), folder.path().join("cert"));
    let result = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=ca",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .expect("openssl");
    assert!(result.status.success());
    (std::fs::read_to_string(cert).expect("certificate"), std::fs::read_to_string(key).expect("key"))
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// A contract of two sections as they stand.
fn of(workload: &str, env: &str) -> Result<Contract, Vec<Refusal>> {
    let text = format!("workload:\n  type: workload\n{workload}\nenv:\n  type: env\n{env}\n");
    let envelope = Envelope::parse(text.as_bytes()).expect("envelope");
    let checked = |section: &crate::envelope::Section| {
        schema::check(section.tree(None).expect("tree")).expect("schema")
    };
    Contract::new(&checked(envelope.workload()), &checked(envelope.env()))
}

/// A contract with compose and syslog; every one with syslog needs a certificate.
fn contract(workload: &str, env: &str) -> Contract {
    let server = base64(&pair().0);
    let logging = format!("  logging: {{syslog: {{hostname: 10.0.0.2, server: {server}}}}}\n");
    of(&format!("  compose: {{archive: AAAA}}\n{workload}"), &(logging + env)).expect("contract")
}

#[test]
fn the_workload_wins() {
    let contract = contract(
        "  env: {A: from-workload, B: b}\n  auths: {r.example: {username: wanda, password: p-workload}}",
        "  env: {A: from-env, C: c}\n  auths: {r.example: {username: egon, password: p-env}, s.example: {username: egon, password: p-two}}",
    );
    let environment: Vec<(&str, &str)> =
        contract.environment().into_iter().map(|(name, value)| (name, value.expose())).collect();
    assert_eq!(environment, [("A", "from-workload"), ("B", "b"), ("C", "c")]);
    let credentials = contract.registry_credentials();
    assert_eq!(credentials["r.example"].username(), "wanda");
    assert_eq!(credentials["r.example"].password().expose(), "p-workload");
    assert_eq!(credentials["s.example"].username(), "egon");
    let codes: Vec<Code> = contract.warnings().iter().map(|warning| warning.code).collect();
    assert_eq!(codes, [Code::NoClientCertificate, Code::EnvironmentOverridden, Code::CredentialsOverridden]);
}

#[test]
fn a_deviation_powers_off_if_either_section_says_so() {
    let said = |word: &str| match word {
        "" => String::new(),
        word => format!("  countersign: {{on-deviation: {word}}}\n"),
    };
    for (workload, env, expected) in [
        ("", "", OnDeviation::Report),
        ("report", "report", OnDeviation::Report),
        ("power-off", "", OnDeviation::PowerOff),
        ("", "power-off", OnDeviation::PowerOff),
        ("power-off", "report", OnDeviation::PowerOff),
        ("report", "power-off", OnDeviation::PowerOff),
    ] {
        let contract = contract(&said(workload), &said(env));
        assert_eq!(contract.on_deviation(), expected, "workload {workload:?}, env {env:?}");
    }
}

#[test]
fn the_serial_is_the_deployers_and_has_a_place_where_it_is_absent() {
    for (env, number, mark) in [
        ("", None, (6, 3)),
        ("  countersign: {on-deviation: report}\n", None, (6, 3)),
        ("  countersign: {serial: 9007199254740991}\n", Some(9_007_199_254_740_991), (8, 25)),
    ] {
        let contract = contract("", env);
        let serial = contract.serial();
        assert_eq!(serial.number(), number, "{env}");
        let place = serial.place();
        assert_eq!(place.pointer.as_str(), "/env/countersign/serial");
        assert_eq!(place.mark.map(|mark| (mark.line, mark.column)), Some(mark), "{env}");
    }
}

#[test]
fn volumes_have_both_parts_and_defaults() {
    let contract = contract(
        "  volumes: {data: {seed: workload-seed-1234}, logs: {seed: other-workload-seed, mount: /var/l, filesystem: xfs}}",
        "  volumes: {logs: {seed: other-deployer-seed}, data: {seed: deployer-seed-1234, volumeID: virtio-1}}\n  countersign: {volumes: {data: {initialize: never}}}",
    );
    let [data, logs] = contract.volumes() else { panic!("two volumes") };
    assert_eq!((data.name(), data.mount(), data.file_system()), ("data", "/mnt/data", FileSystem::Ext4));
    assert_eq!(data.workload_seed().expose(), "workload-seed-1234");
    assert_eq!(data.deployer_seed().map(|seed| seed.expose()), Some("deployer-seed-1234"));
    assert_eq!((data.volume_id(), data.options().initialize()), (Some("virtio-1"), Initialize::Never));
    assert_eq!((logs.mount(), logs.file_system()), ("/var/l", FileSystem::Xfs));
    assert_eq!(logs.options().initialize(), Initialize::IfBlank);
    assert!(contract.unsupported().is_empty());
}

#[test]
fn the_default_port_is_that_of_syslog_over_tls() {
    let contract = contract("", "");
    let Logging::Syslog(syslog) = contract.logging() else { panic!("syslog") };
    let server = syslog.server();
    assert_eq!((server.hostname(), server.port(), server.authorities().len()), ("10.0.0.2", 6514, 1));
}

#[test]
fn the_stricter_option_wins() {
    let volume = "  volumes: {v: {seed: a-seed-of-someone}}\n";
    let contract = contract(
        &format!(
            "{volume}  countersign: {{volumes: {{v: {{initialize: never, discard: true, mount-options: [ro]}}}}}}"
        ),
        "  volumes: {v: {seed: a-seed-of-another}}\n  countersign: {volumes: {v: {initialize: if-blank, discard: false, integrity: true, mount-options: [noexec]}}, policy: {unsigned: refuse}}",
    );
    let options = contract.volumes()[0].options();
    assert_eq!(
        (options.initialize(), options.discard(), options.integrity()),
        (Initialize::Never, false, true)
    );
    let mount: Vec<&str> = options.mount_options().iter().map(|option| option.as_str()).collect();
    assert_eq!(mount, ["noexec", "ro"]);
    assert!(contract.policy().refuse_unsigned());
}

#[test]
fn debug_shows_no_secret() {
    let contract = contract(
        "  env: {A: canary-1}\n  auths: {r.example: {username: wanda, password: canary-2}}\n  volumes: {v: {seed: canary-3, previousSeed: canary-4}}",
        "  volumes: {v: {seed: canary-5, previousSeed: canary-6}}",
    );
    let shown = format!("{contract:?} {:?}", contract.unsupported());
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn pods_and_config_maps() {
    let router = "  logging: {logRouter: {hostname: l.example, iamApiKey: canary-1, tags: [a]}}";
    let workload = "  play:
    archive: AAAA
    resources:
    - {apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {a: canary-2}, spec: {containers: [{name: x, image: y}]}}
    templates:
    - {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {initContainers: [{name: i, image: first}], containers: [{name: c, image: '{{ .Env.I }}'}]}}";
    let contract = of(workload, router).expect("contract");
    let WorkloadKind::Play(play) = contract.workload() else { panic!("play") };
    assert_eq!(play.archive(), Some("AAAA"));
    let [map] = play.resources() else { panic!("one resource") };
    assert_eq!((map.kind(), map.name(), map.images().len()), (ResourceKind::ConfigMap, "m", 0));
    assert_eq!(map.object().find(["data", "a"]).and_then(|text| text.as_text()), Some("canary-2"));
    assert_eq!(map.place().pointer.as_str(), "/workload/play/resources/0");
    let [pod] = play.templates() else { panic!("one template") };
    assert_eq!((pod.kind(), pod.name()), (ResourceKind::Pod, "p"));
    assert_eq!(pod.images(), ["first", "{{ .Env.I }}"]);
    let Logging::LogRouter(logs) = contract.logging() else { panic!("logRouter") };
    let server = logs.server();
    assert_eq!((server.hostname(), server.port(), logs.api_key().expose()), ("l.example", 443, "canary-1"));
    assert_eq!(logs.tags(), ["a"]);
    assert_eq!((logs.iam().hostname(), logs.iam().port()), ("iam.cloud.ibm.com", 443));
    assert!(server.authorities().is_empty() && logs.iam().authorities().is_empty());
    let shown = format!("{contract:?} {play:?}");
    assert!(!shown.contains("canary"), "{shown}");
    assert_eq!(contract.unsupported(), []);
}

#[test]
fn a_log_router_may_be_somewhere_else() {
    let (cert, _) = pair();
    let env = |own: &str| {
        format!(
            "  logging: {{logRouter: {{hostname: l.example, iamApiKey: canary}}}}
  countersign:
    log-router: {{{own}}}"
        )
    };
    let text = env(&format!(
        "iam-url: 'https://private.iam.example:8443', authorities: {0}, iam-authorities: {0}",
        base64(&cert)
    ));
    let contract = of("  compose: {archive: AAAA}", &text).expect("contract");
    let Logging::LogRouter(logs) = contract.logging() else { panic!("logRouter") };
    assert_eq!((logs.iam().hostname(), logs.iam().port()), ("private.iam.example", 8443));
    assert_eq!((logs.server().authorities().len(), logs.iam().authorities().len()), (1, 1));
    assert!(contract.unsupported().is_empty());
    let refusals =
        of("  compose: {archive: AAAA}", &env("authorities: AAAA, iam-authorities: AAAA")).unwrap_err();
    let places: Vec<String> = refusals.iter().map(|refusal| refusal.place().pointer.to_string()).collect();
    assert_eq!(
        places,
        ["/env/countersign/log-router/authorities", "/env/countersign/log-router/iam-authorities"]
    );
}

#[test]
fn an_older_log_service_is_known() {
    let env = "  logging: {logDNA: {hostname: l.example, ingestionKey: canary1canary2canary3canary4cana}}";
    let contract = of("  compose: {archive: AAAA}", env).expect("contract");
    let Logging::LogDna(logs) = contract.logging() else { panic!("logDNA") };
    assert_eq!((logs.hostname(), logs.port(), logs.ingestion_key().expose().len()), ("l.example", 6514, 32));
    assert_eq!(contract.unsupported()[0].pointer.to_string(), "/env/logging/logDNA");
}

#[test]
fn confidential_containers_have_two_parts() {
    let contract = of(
        "  confidential-containers:
    regoValidator: {policy: cG9saWN5}
    config: {cosign: {r.example/a: {publicKey: QUJD}}}
    allowedContainers: {web: {allowedImages: {imageNames: [r.example/a], imagePatterns: ['r.example/*']}}}
    secret: {verificationKey: QUJD, decryptionKey: canarywork}",
        "  logging: {logRouter: {hostname: l.example, iamApiKey: x}}
  confidential-containers: {secret: {verificationKey: REVG, decryptionKey: canary/env}}",
    )
    .expect("contract");
    let WorkloadKind::ConfidentialContainers(part) = contract.workload() else { panic!("the kind") };
    assert_eq!((part.policy(), part.image_signers()["r.example/a"].as_str()), ("cG9saWN5", "QUJD"));
    let web = &part.allowed()["web"];
    assert_eq!(
        (web.names(), web.patterns()),
        (&["r.example/a".to_owned()][..], &["r.example/*".to_owned()][..])
    );
    assert_eq!(part.sealed_secrets().map(|keys| keys.decryption().expose()), Some("canarywork"));
    let keys = contract.deployer_sealed_secrets().expect("keys");
    assert_eq!((keys.verification(), keys.decryption().expose()), ("REVG", "canary/env"));
    let shown = format!("{contract:?} {part:?}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn image_rules() {
    // An RSA key of no bits, version 4, of 1970 (RFC 9580 section 5.5.2); gpg's own are in the tests of crypto.
    const KEY: &str = "mAoEAAAAAAEAAAAA";
    let contract = contract(
        &format!(
            "  images: {{dct: {{r.example/space/name: {{notary: 'https://n.example', publicKey: QUJD}}}}, \
             rhs: {{'r.example/x:1': {{publicKey: {KEY}}}, r.example/y: {{publicKey: {KEY}}}}}}}\n  \
             countersign: {{images: {{r.example/y: {{lookaside: 'https://s.example', signed-as: o.example/y}}}}}}"
        ),
        "",
    );
    let rules = contract.image_rules();
    assert_eq!(rules.keys().collect::<Vec<_>>(), ["r.example/x:1", "r.example/y"]);
    let (tag, all) = (&rules["r.example/x:1"], &rules["r.example/y"]);
    assert_eq!(tag.simple_signing().map(|keys| keys.to_base64()).as_deref(), Some(KEY));
    assert_eq!((tag.covers_digests(), tag.lookaside(), tag.signed_as()), (false, None, None));
    assert_eq!(tag.place().pointer.as_str(), "/workload/images/rhs/r.example~1x:1");
    assert_eq!(all.simple_signing().map(|keys| keys.to_base64()).as_deref(), Some(KEY));
    assert_eq!((all.lookaside(), all.signed_as()), (Some("https://s.example"), Some("o.example/y")));
    assert!(all.covers_digests() && all.cosign().is_none());
    assert_eq!(all.place().pointer.as_str(), "/workload/countersign/images/r.example~1y");
}

#[test]
fn key_services_take_material_in_every_form() {
    let (cert, key) = pair();
    let folded = base64(&cert)
        .as_bytes()
        .chunks(40)
        .fold(String::new(), |text, line| text + std::str::from_utf8(line).expect("ascii") + "\\n");
    let escaped = key.replace('\n', "\\n");
    let env = |ca: &str| {
        format!(
            "  volumes:
    v:
      uv-secret-id: index-3
      uv-previous-secret-id: index-8
      apiKey: canary-0123
      kmsTimeout: 0
      kms: [{{apiKey: canary-4567, crn: 'crn:v1:bluemix:public:x:key:y', type: private}}]
      grep11:
        address: g.example:9876
        clientCert: '{folded}'
        clientKey: '{escaped}'
        caCert: {}
        metadata: {{aesKeyBlob: canarycanary, previousaesKeyBlob: '***'}}",
            serde_json::Value::from(ca)
        )
    };
    let contract = contract("  volumes: {v: {seed: a-workload-seed}}", &env(&cert));
    let volume = &contract.volumes()[0];
    assert!(matches!(volume.deployer_secret(), DeployerSecret::Ultravisor(3)));
    assert_eq!(volume.previous_ultravisor_secret(), Some(8));
    assert_eq!(volume.api_key().map(|key| key.expose()), Some("canary-0123"));
    let services = volume.key_services();
    assert_eq!(services.timeout_minutes(), 0);
    let [kms] = services.kms() else { panic!("one service") };
    assert_eq!((kms.api_key().expose(), kms.private()), ("canary-4567", true));
    assert_eq!(kms.root_key(), "crn:v1:bluemix:public:x:key:y");
    let grep11 = services.grep11().expect("grep11");
    assert_eq!(
        (grep11.address(), grep11.certificates().len(), grep11.authorities().len()),
        ("g.example:9876", 1, 1)
    );
    assert_eq!(grep11.key().expose(), escaped);
    assert_eq!(grep11.wrapped().expose(), "canarycanary");
    assert_eq!(grep11.previous_wrapped().map(|key| key.expose()), Some("***"));
    let shown = format!("{contract:?}");
    assert!(!shown.contains("canary") && !shown.contains("PRIVATE KEY"), "{shown}");
}

#[test]
fn host_keys_and_crypto_devices() {
    let env = format!(
        "  host-attestation: {{HKD-1: {{description: here, host-key-doc: {}}}}}
  crypto-pt:
    lock: true
    index-2: {{type: secret, domain-id: 0a.00Ff, secret: canarycanarycanarycanarycanarycanarycanaryA=, mkvp: '0xab'}}",
        base64(&pair().0)
    );
    let contract = contract("", &env);
    let host = &contract.host_keys()["HKD-1"];
    assert_eq!((host.description(), host.document().len()), ("here", 1));
    let crypto = contract.crypto_passthrough().expect("crypto-pt");
    let device = &crypto.devices()[&2];
    assert_eq!((crypto.lock(), device.card(), device.domain()), (true, 10, 255));
    assert_eq!((device.secret().expose().len(), device.wrapping_key()), (44, Some("0xab")));
    let shown = format!("{contract:?}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn places_of_fields_are_kept() {
    let contract = contract("", "");
    let place = |text: &str| contract.place_of(&Pointer::root().join(text)).map(|place| place.to_string());
    assert_eq!(
        place("/workload/compose/archive").as_deref(),
        Some("/workload/compose/archive (contract line 3, column 22)")
    );
    // What is not kept has the place of what it stands in.
    assert_eq!(
        place("/env/logging/syslog/server/0").map(|place| place.contains("(contract line 7, column ")),
        Some(true)
    );
    assert_eq!(place("/elsewhere"), None);
}
