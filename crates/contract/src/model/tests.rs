//! The views of a contract; refusals are in the tables under `tests/contracts`.

use super::*;
use crate::envelope::Envelope;
use crate::schema;

/// A certificate is needed by every contract with syslog; made by openssl, because none is kept here.
fn authority() -> String {
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
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(std::fs::read(cert).expect("certificate"))
}

fn contract(workload: &str, env: &str) -> Contract {
    let text = format!(
        "workload:\n  type: workload\n  compose: {{archive: AAAA}}\n{workload}\nenv:\n  type: env\n  logging: {{syslog: {{hostname: 10.0.0.2, server: {}}}}}\n{env}\n",
        authority()
    );
    let envelope = Envelope::parse(text.as_bytes()).expect("envelope");
    let checked = |section: &crate::envelope::Section| {
        schema::check(section.tree(None).expect("tree")).expect("schema")
    };
    Contract::new(&checked(envelope.workload()), &checked(envelope.env())).expect("contract")
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
    assert_eq!(unsupported(&contract).len(), 1, "xfs is understood and not acted on yet");
}

#[test]
fn the_default_port_is_that_of_syslog_over_tls() {
    let contract = contract("", "");
    let Logging::Syslog(syslog) = contract.logging() else { panic!("syslog") };
    assert_eq!((syslog.hostname(), syslog.port(), syslog.authorities().len()), ("10.0.0.2", 6514, 1));
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
    let shown = format!("{contract:?} {:?}", unsupported(&contract));
    assert!(!shown.contains("canary"), "{shown}");
}
