//! Conway's game of life on a byte grid.
common::export!(program);

fn program(n: u32) -> u64 {
    const W: usize = 128;
    let mut rng = common::Rng::new(10);
    let mut grid: Vec<u8> = (0..W * W).map(|_| (rng.below(3) == 0) as u8).collect();
    let mut next = vec![0; W * W];
    for _ in 0..n {
        for y in 0..W {
            let (up, down) = ((y + W - 1) % W * W, (y + 1) % W * W);
            for x in 0..W {
                let (l, r) = ((x + W - 1) % W, (x + 1) % W);
                let around = grid[up + l] + grid[up + x] + grid[up + r] + grid[y * W + l] + grid[y * W + r] + grid[down + l] + grid[down + x] + grid[down + r];
                next[y * W + x] = (around == 3 || around == 2 && grid[y * W + x] == 1) as u8;
            }
        }
        std::mem::swap(&mut grid, &mut next);
    }
    common::mix_bytes(0, &grid)
}
