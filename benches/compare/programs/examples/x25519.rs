//! X25519: Montgomery ladder on a 255-bit field.
use curve25519_dalek::{constants::X25519_BASEPOINT, scalar::clamp_integer, scalar::Scalar};
common::export!(program);

fn program(n: u32) -> u64 {
    let mut sum = 0;
    let mut point = X25519_BASEPOINT;
    for i in 0..n {
        let scalar = Scalar::from_bytes_mod_order(clamp_integer([i as u8 + 1; 32]));
        point = point * scalar;
        sum = common::mix_bytes(sum, point.as_bytes());
    }
    sum
}
