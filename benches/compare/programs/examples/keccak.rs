//! Keccak-256: many live 64-bit values.
use sha3::Digest;
common::export!(program);

fn program(n: u32) -> u64 {
    let input = common::text(1 << 14);
    let mut hasher = sha3::Keccak256::new();
    for _ in 0..n {
        hasher.update(input.as_bytes());
    }
    common::mix_bytes(0, &hasher.finalize())
}
