//! The parts of the templates that differ: kind of workload, and the cases of `--with`.

use countersign_crypto::signature::SigningKey;

use anyhow::Result;

use crate::arguments::{Case, New};

/// Host name of the private registry of the example.
pub(super) const REGISTRY: &str = "registry.example.org";

/// What stands for one part of a template.
pub(super) type Part = (&'static str, String);

/// The parts, but for keys and seeds. `signer` is the public key that signs, PEM.
pub(super) fn parts(options: &New, signer: &[u8]) -> Result<Vec<Part>> {
    let private = options.with.contains(&Case::PrivateRegistry);
    let registry = if private { format!("{REGISTRY}/web") } else { "docker.io/library/nginx".to_owned() };
    let reads = if options.play {
        "The pods have it in the config map contract.config.map."
    } else {
        "compose.yaml reads it as ${GREETING}."
    };
    Ok(vec![
        ("@kind@", kind(options).to_owned()),
        ("@reads@", reads.to_owned()),
        ("@registry@", registry),
        ("@auths@", if private { PRIVATE_AUTHS } else { AUTHS }.to_owned()),
        ("@cacerts@", if private { PRIVATE_CACERTS } else { CACERTS }.to_owned()),
        ("@policy@", policy(options, signer)?),
    ])
}

/// The field, and the folder, of the workload.
pub(super) fn kind(options: &New) -> &'static str {
    if options.play { "play" } else { "compose" }
}

const AUTHS: &str = "\
# Credentials of private registries.
# auths:
#   registry.example.org:
#     username: reader
#     password: \"…\"
";
const PRIVATE_AUTHS: &str = "\
# Credentials of private registries. Put those of yours here.
auths:
  registry.example.org:
    username: reader
    password: \"@password@\"
";
const CACERTS: &str = "\
# Authority of a private registry: base64 of its PEM certificate.
# cacerts:
#   - registry: \"…\"
";
const PRIVATE_CACERTS: &str = "\
# Authority of the private registry: base64 of its PEM certificate. Put that of yours here; registry/ has the server's side
# of this one.
cacerts:
  - registry: \"@registry-authority@\"
";

/// What the provider demands beside a signature, each line at its depth.
fn policy(options: &New, signer: &[u8]) -> Result<String> {
    let mut lines = String::new();
    if options.with.contains(&Case::PrivateRegistry) {
        lines.push_str(&format!(
            "    # For which registries with credentials above the deployer's cacerts count.\n    \
             registries:\n      - {REGISTRY}\n"
        ));
    }
    if options.with.contains(&Case::TwoParties) {
        let fingerprint = SigningKey::parse(std::str::from_utf8(signer)?)?.sha256_fingerprint()?;
        lines.push_str(&format!(
            "    # What the deployer, who is somebody else, may do: sign with this key, set this variable, log there.\n    \
             signing-keys:\n      - \"{fingerprint}\"\n    \
             env:\n      - PLACE\n    \
             log-servers:\n      - {}\n",
            options.log_server
        ));
    }
    Ok(lines)
}
