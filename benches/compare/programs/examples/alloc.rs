//! Vectors and strings that grow, shrink and are dropped in random order.
common::export!(program);

fn program(n: u32) -> u64 {
    let mut rng = common::Rng::new(9);
    let mut slots: Vec<Vec<u8>> = vec![Vec::new(); 512];
    let mut sum = 0;
    for _ in 0..n * 100 {
        let slot = &mut slots[rng.below(512) as usize];
        match rng.below(4) {
            0 => *slot = vec![rng.next() as u8; rng.below(2000) as usize],
            1 => slot.extend_from_slice(b"some more bytes"),
            2 => {
                slot.truncate(rng.below(300) as usize);
                slot.shrink_to_fit();
            }
            _ => sum = common::mix(sum, std::mem::take(slot).len() as u64),
        }
    }
    slots.iter().fold(sum, |sum, slot| common::mix_bytes(sum, &slot[..slot.len().min(64)]))
}
