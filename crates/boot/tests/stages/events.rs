//! The fields that programs read beside each line.

use countersign_boot::log::panicked;
use countersign_boot::stage::Stage;

use crate::support::machine::{facts, machine_without_volume};
use crate::support::{Contract, boot, machine};

/// What was said with these fields, without times.
fn said_with(machine: &countersign_rehearsal::Rehearsal, fields: &str) -> Vec<String> {
    let bare =
        |all: &str| all.split(' ').filter(|field| !field.starts_with("ms=")).collect::<Vec<_>>().join(" ");
    let lines = machine.logged().into_iter().zip(machine.fields());
    lines.filter(|(_, found)| bare(found) == fields).map(|((_, text), _)| text).collect()
}

#[test]
fn a_stage_says_which_it_is_and_how_long_it_took() {
    let machine = machine(&Contract::good());
    boot(&machine).result.unwrap();
    for stage in Stage::ALL.into_iter().filter(|stage| stage.is_initramfs()) {
        assert_eq!(
            said_with(&machine, &format!("stage={stage} state=start")),
            [format!("countersign: stage={stage} state=start")]
        );
        let done = said_with(&machine, &format!("stage={stage} state=done"));
        assert!(done[0].starts_with(&format!("countersign: stage={stage} state=done ")), "{done:?}");
    }
    assert!(machine.fields().iter().any(|fields| fields == "stage=preflight state=done ms=0"));
    assert_eq!(
        said_with(&machine, "code=HPL02002I volume=data"),
        machine
            .logged()
            .into_iter()
            .map(|(_, text)| text)
            .filter(|text| text.starts_with("HPL02002I: volume data: "))
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_refusal_says_its_place_in_fields_too() {
    let contract = Contract::good().with("port: 6514", "port: \"6514\"");
    let line = contract.env.lines().position(|line| line.trim_start().starts_with("port:")).unwrap() + 1;
    let place = format!("code=HPL05001E pointer=/env/logging/syslog/port section=env line={line} column=11");
    let machine = machine(&contract);
    assert!(boot(&machine).result.is_err());
    assert!(said_with(&machine, &place)[0].starts_with("HPL05001E /env/logging/syslog/port (env line "));
    assert!(
        said_with(&machine, &format!("stage=validate state=failed {place}"))[0]
            .starts_with("countersign: stage=validate state=failed code=HPL05001E ")
    );
    assert_eq!(
        said_with(&machine, "stage=validate exit=55 code=HPL05001E"),
        ["countersign: exit=55 stage=validate code=HPL05001E"]
    );
}

#[test]
fn a_panic_is_told_with_the_stage_in_which_it_happened() {
    let machine = machine_without_volume(&Contract::good(), facts());
    panicked(&machine, " at src/x.rs:7");
    let said: Vec<String> = machine.lines().into_iter().map(|(_, text)| text).collect();
    assert!(said[0].starts_with("HPL11000E: countersignd stopped unexpectedly at src/x.rs:7; "), "{said:?}");
    // Other tests of this process are in other stages.
    let ended = Stage::ALL.into_iter().any(|stage| {
        said[1..]
            == [
                format!("countersign: stage={stage} state=failed code=HPL11000E"),
                format!("countersign: exit={} stage={stage} code=HPL11000E", stage.exit_code()),
            ]
    });
    assert!(ended, "{said:?}");
}
