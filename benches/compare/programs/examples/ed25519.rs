//! Ed25519: sign and verify.
use ed25519_dalek::{Signer, SigningKey, Verifier};
common::export!(program);

fn program(n: u32) -> u64 {
    let mut sum = 0;
    for i in 0..n {
        let key = SigningKey::from_bytes(&[i as u8; 32]);
        let signature = key.sign(b"a message");
        key.verifying_key().verify(b"a message", &signature).unwrap();
        sum = common::mix_bytes(sum, &signature.to_bytes());
    }
    sum
}
