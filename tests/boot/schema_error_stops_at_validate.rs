//! A section of the wrong kind: the boot ends at `validate` and names pointer, line and column in the sealed text, on
//! the console and, because the part `logging` is in order, at the log server.

use countersign_vm::events::Stage;
use countersign_vm::lab::contract::Section;

use crate::support::{refused, world};

#[test]
fn schema_error_stops_at_validate() {
    let mut world = world();
    let mut texts = world.contract().texts();
    texts.edit(Section::Env, "type: env", "type: six-five-one-four").unwrap();
    let line = texts.env.lines().position(|line| line.contains("six-five-one-four")).unwrap();
    let column = texts.env.lines().nth(line).unwrap().find("six").unwrap() + 1;
    let delivery = world.delivery();
    let medium = world.deliver("schema", &texts, &delivery).unwrap();

    let boot = refused(&world, "schema-error", "single", &world.keys.image, &medium, None);

    boot.assert_ended(
        Stage::Validate,
        &[
            ("code", "HPL05001E"),
            ("pointer", "/env/type"),
            ("in", "env"),
            ("line", &(line + 1).to_string()),
            ("column", &column.to_string()),
        ],
    );
    boot.assert_nothing_after(Stage::Validate);
    assert!(!boot.serial.contains("six-five-one-four"), "a value of the contract is on the console");
    boot.assert_told(&world, "HPL05001E /env/type (env line ");
    boot.say_when_off();
    boot.assert_closed_and_silent(&world);
}
