//! The ChaCha20 stream cipher.
use chacha20::cipher::{KeyIvInit, StreamCipher};
common::export!(program);

fn program(n: u32) -> u64 {
    let mut cipher = chacha20::ChaCha20::new(&[3u8; 32].into(), &[5u8; 12].into());
    let mut buffer = vec![0; 1 << 14];
    for _ in 0..n {
        cipher.apply_keystream(&mut buffer);
    }
    common::mix_bytes(0, &buffer)
}
