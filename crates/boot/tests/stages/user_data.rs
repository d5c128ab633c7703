//! `user-data.decrypted` in the folder of the record: written in `attest`, when a section says so.

use std::path::Path;

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;

use crate::support::canaries::canaries;
use crate::support::contract::{ENV_VALUE, IMAGE, WORKLOAD_VALUE};
use crate::support::machine::Boot;
use crate::support::{Contract, boot, machine, refused};

const FILE: &str = "/run/countersign/hyperprotect/user-data.decrypted";
const SHOW: &str = "countersign:\n  user-data: show\n";

/// A boot that succeeds, and the file if there is one.
fn booted(contract: &Contract) -> (Boot, Option<String>) {
    let boot = boot(&machine(contract));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let file = boot.files.get(Path::new(FILE)).map(|(mode, content)| {
        assert_eq!(*mode, 0o400);
        String::from_utf8(content.clone()).unwrap()
    });
    (boot, file)
}

#[test]
fn containers_read_the_sections_that_say_so_and_no_others() {
    assert_eq!(booted(&Contract::good()).1, None);
    assert_eq!(booted(&Contract::good().with_env("countersign:\n  user-data: omit\n")).1, None);
    for (contract, workload, env) in [
        (Contract::good().with_workload(SHOW), true, false),
        (Contract::good().with_env(SHOW), false, true),
        (Contract::good().authenticated().with_workload(SHOW).with_env(SHOW), true, true),
    ] {
        let (boot, file) = booted(&contract);
        let file = file.unwrap();
        assert_eq!(file.contains("workload: |\n    type: \"workload\"\n"), workload, "{file}");
        assert_eq!(file.contains("env: |\n    type: \"env\"\n"), env, "{file}");
        assert_eq!(file.contains(WORKLOAD_VALUE), workload, "{file}");
        assert_eq!(file.contains(ENV_VALUE), env, "{file}");
        // What a container may not have, it does not find there either; the values are the party's own to show.
        for canary in canaries().iter().filter(|canary| !canary.name().ends_with("env value")) {
            assert!(!canary.is_in(&file), "{}", canary.name());
        }
        for canary in canaries() {
            assert!(!canary.is_in(&boot.said()), "{}", canary.name());
        }
    }
}

#[test]
fn a_service_that_mounts_the_folder_is_told_what_is_there() {
    let compose = format!("services:\n  web:\n    image: {IMAGE}\n    volumes: [\"/var/hyperprotect:/h\"]\n");
    let contract = || Contract::good().with_compose(&compose);
    let begin = "HPL06121W /workload/compose/archive (workload line 3, column 12): compose.yaml: service web: \
                 /var/hyperprotect is read-only, without ";
    for (contract, words) in [
        (contract(), "user-data.decrypted and certificate_expiry_date.json (line 4)"),
        (
            contract().with_workload(SHOW).with_env(SHOW),
            "certificate_expiry_date.json; user-data.decrypted has both sections without seeds, passwords and secret keys (line 4)",
        ),
    ] {
        booted(&contract).0.assert_warned(&format!("{begin}{words}"));
    }
}

#[test]
fn another_word_is_refused_at_its_place() {
    let contract = Contract::good().with_env("countersign:\n  user-data: all\n");
    let place = "/env/countersign/user-data env 18:14";
    let words = "expected omit or show";
    refused(&contract).assert_place(Stage::Validate, Code::ContractInvalid, place, words);
}
