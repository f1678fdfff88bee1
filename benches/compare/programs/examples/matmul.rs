//! Matrix multiplication, f64.
common::export!(program);

fn program(n: u32) -> u64 {
    let n = n as usize;
    let mut rng = common::Rng::new(4);
    let a: Vec<f64> = (0..n * n).map(|_| rng.unit()).collect();
    let b: Vec<f64> = (0..n * n).map(|_| rng.unit()).collect();
    let mut c = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..n {
            let mut sum = 0.0;
            for k in 0..n {
                sum += a[i * n + k] * b[k * n + j];
            }
            c[i * n + j] = sum;
        }
    }
    c.iter().fold(0, |sum, x| common::mix(sum, x.to_bits()))
}
