//! The scrypt key derivation: Salsa20/8 over a large table.
common::export!(program);

fn program(n: u32) -> u64 {
    let params = scrypt::Params::new(9, 8, 1, 32).unwrap();
    let mut sum = 0;
    for i in 0..n {
        let mut key = [0; 32];
        scrypt::scrypt(&i.to_le_bytes(), b"salt", &params, &mut key).unwrap();
        sum = common::mix_bytes(sum, &key);
    }
    sum
}
