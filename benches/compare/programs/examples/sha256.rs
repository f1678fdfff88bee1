//! SHA-256 of a buffer.
use sha2::Digest;
common::export!(program);

fn program(n: u32) -> u64 {
    let input = common::text(1 << 16);
    let mut hasher = sha2::Sha256::new();
    for _ in 0..n {
        hasher.update(input.as_bytes());
    }
    common::mix_bytes(0, &hasher.finalize())
}
