//! Binary trees: many small allocations, all freed again.
common::export!(program);

struct Tree(Option<Box<(Tree, Tree)>>);

fn build(depth: u32) -> Tree {
    Tree((depth > 0).then(|| Box::new((build(depth - 1), build(depth - 1)))))
}

fn count(tree: &Tree) -> u64 {
    tree.0.as_ref().map_or(1, |pair| 1 + count(&pair.0) + count(&pair.1))
}

fn program(n: u32) -> u64 {
    let long_lived = build(n);
    let mut sum = 0;
    for depth in (4..=n).step_by(4) {
        for _ in 0..1 << (n - depth) {
            sum += count(&build(depth));
        }
    }
    common::mix(sum, count(&long_lived))
}
