//! Hash maps: count words with SipHash, and a join on integers.
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
common::export!(program);

type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

fn program(n: u32) -> u64 {
    let text = common::text(20_000);
    let mut sum = 0;
    for round in 0..n {
        let mut counts: Map<&str, u32> = Map::default();
        for word in text.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()) {
            *counts.entry(word).or_default() += 1;
        }
        let mut index: Map<u32, u32> = Map::default();
        for i in 0..2000u32 {
            index.insert(i.wrapping_mul(2_654_435_761).wrapping_add(round), i);
        }
        for i in (0..2000u32).step_by(3) {
            sum = common::mix(sum, u64::from(index.remove(&i.wrapping_mul(2_654_435_761).wrapping_add(round)).unwrap()));
        }
        sum += u64::from(counts["memory"]) + counts.len() as u64 + index.len() as u64;
    }
    sum
}
