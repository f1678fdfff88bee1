//! The spectral norm of an infinite matrix: divisions and conversions.
common::export!(program);

fn a(i: usize, j: usize) -> f64 {
    1.0 / ((i + j) * (i + j + 1) / 2 + i + 1) as f64
}

fn times(v: &[f64], out: &mut [f64], f: impl Fn(usize, usize) -> f64) {
    for (i, o) in out.iter_mut().enumerate() {
        *o = v.iter().enumerate().map(|(j, x)| f(i, j) * x).sum();
    }
}

fn program(n: u32) -> u64 {
    let n = n as usize;
    let (mut u, mut v, mut t) = (vec![1.0; n], vec![0.0; n], vec![0.0; n]);
    for _ in 0..5 {
        times(&u, &mut t, a);
        times(&t, &mut v, |i, j| a(j, i));
        times(&v, &mut t, a);
        times(&t, &mut u, |i, j| a(j, i));
    }
    let (uv, vv) = u.iter().zip(&v).fold((0.0, 0.0), |(uv, vv), (x, y)| (uv + x * y, vv + y * y));
    f64::sqrt(uv / vv).to_bits()
}
