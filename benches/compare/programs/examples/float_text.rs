//! Floats to text and back: ryu, the standard formatter, and parsing.
common::export!(program);

fn program(n: u32) -> u64 {
    let mut rng = common::Rng::new(11);
    let mut sum = 0;
    let mut buffer = ryu::Buffer::new();
    for _ in 0..n * 10 {
        let x = f64::from_bits(rng.next() >> 2 | 0x3000_0000_0000_0000);
        let short = buffer.format(x);
        let back: f64 = short.parse().unwrap();
        assert_eq!(back, x);
        sum = common::mix_bytes(sum, short.as_bytes());
        let fixed = format!("{:.3} {:e}", rng.unit() * 1e6, rng.unit() as f32);
        sum = common::mix_bytes(sum, fixed.as_bytes());
    }
    sum
}
