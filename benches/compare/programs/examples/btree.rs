//! Ordered maps: insert, range, remove.
use std::collections::BTreeMap;
common::export!(program);

fn program(n: u32) -> u64 {
    let mut rng = common::Rng::new(12);
    let mut map = BTreeMap::new();
    let mut sum = 0;
    for i in 0..n * 100 {
        map.insert(rng.below(100_000), i);
        if i % 4 == 3 {
            let from = rng.below(100_000);
            sum = map.range(from..).take(8).fold(sum, |sum, (k, v)| common::mix(sum, u64::from(k ^ v)));
            if let Some((&key, _)) = map.range(from..).next() {
                map.remove(&key);
            }
        }
    }
    common::mix(sum, map.len() as u64)
}
