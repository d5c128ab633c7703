//! What the attestation record costs: the stage that makes and signs it, against the RSA operations that it may take.
//!
//! The stage made a record before it signed one, in a few milliseconds of SHA-256; signing may add two RSA-4096 operations to
//! that. Those few milliseconds are left out here, so the figure is a little stricter than what is wanted.

use super::Measured;
use super::figures::{Figure, Target};

/// The figure; none where the stage or the operations were not measured.
pub(super) fn figure(measured: &Measured) -> Option<Figure> {
    let stage = ("attest", measured.initramfs.median(&["attest"])?);
    // One process opens the contract's two tokens with the image's key, RSA-4096 as the attestation key is.
    let operations = ("two operations", measured.library.median(&["library-rsa"])?);
    let name = "attest, record and signature, ÷ two RSA-4096 operations";
    Some(Figure::ratio(name, stage, operations, Some(Target::AtMost(1.0))))
}

#[cfg(test)]
mod tests {
    use super::super::guests::Machine;
    use super::super::samples::{Sample, Samples};
    use super::*;

    fn samples(name: &str, ms: &[f64]) -> Samples {
        Samples(ms.iter().map(|ms| Sample::from([(name.to_owned(), *ms)])).collect())
    }

    #[test]
    fn the_stage_is_held_against_two_operations_and_left_out_without_them() {
        let machine = Machine {
            time: "now".into(),
            processor: "p".into(),
            processors: 2,
            load: "0".into(),
            emulator: "e".into(),
        };
        let mut measured = Measured::of(machine, [].into(), Vec::new());
        assert!(figure(&measured).is_none());
        measured.initramfs = samples("attest", &[150.0, 160.0, 900.0]);
        assert!(figure(&measured).is_none());
        measured.library = samples("library-rsa", &[200.0]);
        let found = figure(&measured).unwrap();
        assert_eq!((found.value, found.unit, found.met), (0.8, "×", Some(true)));
        assert_eq!(found.of, "attest 160 ms ÷ two operations 200 ms");
        measured.library = samples("library-rsa", &[159.0]);
        assert_eq!(figure(&measured).unwrap().met, Some(false));
    }
}
