//! AES-128 in software (bit-sliced).
use aes::cipher::{BlockEncrypt, KeyInit};
common::export!(program);

fn program(n: u32) -> u64 {
    let cipher = aes::Aes128::new(&[7u8; 16].into());
    let mut blocks = vec![aes::Block::from([1u8; 16]); 256];
    for _ in 0..n {
        cipher.encrypt_blocks(&mut blocks);
    }
    blocks.iter().fold(0, |sum, block| common::mix_bytes(sum, block))
}
