//! The golden files under `tests/cli`: what the author's command prints. With `TRYCMD=overwrite` they are rewritten;
//! read the difference.

#[test]
fn what_is_printed() {
    trycmd::TestCases::new().case("../../tests/cli/*.trycmd");
}
