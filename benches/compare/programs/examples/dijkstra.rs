//! Shortest paths on a random graph with a binary heap.
use std::{cmp::Reverse, collections::BinaryHeap};
common::export!(program);

fn program(n: u32) -> u64 {
    let mut rng = common::Rng::new(13);
    let nodes = n as usize * 100;
    let edges: Vec<Vec<(u32, u32)>> = (0..nodes)
        .map(|_| (0..6).map(|_| (rng.below(nodes as u32), 1 + rng.below(1000))).collect())
        .collect();
    let mut best = vec![u32::MAX; nodes];
    let mut heap = BinaryHeap::from([Reverse((0, 0u32))]);
    best[0] = 0;
    while let Some(Reverse((cost, node))) = heap.pop() {
        if cost > best[node as usize] {
            continue;
        }
        for &(to, weight) in &edges[node as usize] {
            let through = cost + weight;
            if through < best[to as usize] {
                best[to as usize] = through;
                heap.push(Reverse((through, to)));
            }
        }
    }
    best.iter().fold(0, |sum, &b| common::mix(sum, u64::from(b)))
}
