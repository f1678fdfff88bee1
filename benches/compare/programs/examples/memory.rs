//! Blocks copied, moved and filled: bulk memory operations of all sizes.
common::export!(program);

fn program(n: u32) -> u64 {
    let mut rng = common::Rng::new(14);
    let mut a: Vec<u8> = (0..1 << 16).map(|i| (i * 7) as u8).collect();
    let mut b = a.clone();
    for _ in 0..n * 100 {
        let len = match rng.below(10) { 0 => rng.below(16_000), 1..=3 => rng.below(500), _ => rng.below(40) } as usize;
        let (from, to) = (rng.below(40_000) as usize, rng.below(40_000) as usize);
        match rng.below(4) {
            0 => a.copy_within(from..from + len, to),
            1 => a[to..to + len].fill(len as u8),
            2 => b[to..to + len].copy_from_slice(&a[from..from + len]),
            _ => std::mem::swap(&mut a, &mut b),
        }
    }
    common::mix_bytes(common::mix_bytes(0, &a), &b)
}
