//! BLAKE3 by its vector implementation: i32x4 additions, exclusive ors, rotations and transpositions.
common::export!(program);

fn program(n: u32) -> u64 {
    let input: Vec<u8> = (0..65_536u32).map(|i| (i % 251) as u8).collect();
    let mut hasher = blake3::Hasher::new();
    for _ in 0..n {
        hasher.update(&input);
    }
    common::mix_bytes(0, hasher.finalize().as_bytes())
}
