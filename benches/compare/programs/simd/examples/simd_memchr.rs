//! Searching bytes: comparisons and bit masks of vectors.
common::export!(program);

fn program(n: u32) -> u64 {
    let text: Vec<u8> = (0..65_536u32).map(|i| if i % 97 == 96 { b'\n' } else { (i % 61 + 32) as u8 }).collect();
    let mut mix = 0;
    for k in 0..n {
        mix = common::mix(mix, memchr::memchr_iter(b'\n', &text).count() as u64);
        for at in memchr::memchr2_iter(b'!' + (k % 7) as u8, b'\n', &text).step_by(64) {
            mix = common::mix(mix, at as u64);
        }
        let found = memchr::memmem::find(&text, b"no such words");
        mix = common::mix(mix, found.map_or(0, |at| at as u64));
    }
    mix
}
