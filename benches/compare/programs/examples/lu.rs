//! LU decomposition with pivoting, f64.
common::export!(program);

fn program(n: u32) -> u64 {
    let n = n as usize;
    let mut rng = common::Rng::new(6);
    let mut m: Vec<Vec<f64>> = (0..n).map(|_| (0..n).map(|_| rng.unit()).collect()).collect();
    let mut det = 1.0;
    for col in 0..n {
        let pivot = (col..n).max_by(|&a, &b| m[a][col].abs().total_cmp(&m[b][col].abs())).unwrap();
        m.swap(col, pivot);
        let (top, below) = m.split_at_mut(col + 1);
        let pivot_row = &top[col];
        det *= pivot_row[col];
        for row in below {
            let factor = row[col] / pivot_row[col];
            row[col] = factor;
            for (x, p) in row[col + 1..].iter_mut().zip(&pivot_row[col + 1..]) {
                *x -= factor * p;
            }
        }
    }
    m.iter().flatten().fold(det.to_bits(), |sum, x| common::mix(sum, x.to_bits()))
}
