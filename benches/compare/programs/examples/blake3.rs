//! BLAKE3 of a buffer.
common::export!(program);

fn program(n: u32) -> u64 {
    let input = common::text(1 << 16);
    let mut hasher = blake3::Hasher::new();
    for _ in 0..n {
        hasher.update(input.as_bytes());
    }
    common::mix_bytes(0, hasher.finalize().as_bytes())
}
