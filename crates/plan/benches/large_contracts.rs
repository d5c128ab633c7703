//! From bytes to plan, for contracts of 1 MiB in the most laborious shapes that are legal; the target is 100 ms each.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../examples/large_contracts/shapes.rs"]
mod shapes;

use criterion::{Criterion, criterion_group, criterion_main};
use shapes::{Material, all, plan};

fn large_contracts(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::new(folder.path());
    let mut group = criterion.benchmark_group("large contracts");
    group.sample_size(20);
    for (name, text) in all(&material) {
        assert_eq!(plan(text.as_bytes()), "plan", "{name}");
        group.bench_function(name, |bencher| bencher.iter(|| plan(text.as_bytes())));
    }
    group.finish();
}

criterion_group!(benches, large_contracts);
criterion_main!(benches);
