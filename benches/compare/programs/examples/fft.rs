//! A radix-2 fast Fourier transform, forth and back, f64.
use std::f64::consts::PI;
common::export!(program);

fn fft(re: &mut [f64], im: &mut [f64], sign: f64) {
    let n = re.len();
    let mut j = 0;
    for i in 1..n {
        let mut bit = n >> 1;
        while j & bit != 0 {
            j ^= bit;
            bit >>= 1;
        }
        j |= bit;
        if i < j {
            re.swap(i, j);
            im.swap(i, j);
        }
    }
    let mut len = 2;
    while len <= n {
        let (wi, wr) = (sign * 2.0 * PI / len as f64).sin_cos();
        for start in (0..n).step_by(len) {
            let (mut cr, mut ci) = (1.0, 0.0);
            for k in start..start + len / 2 {
                let m = k + len / 2;
                let (tr, ti) = (re[m] * cr - im[m] * ci, re[m] * ci + im[m] * cr);
                (re[m], im[m]) = (re[k] - tr, im[k] - ti);
                (re[k], im[k]) = (re[k] + tr, im[k] + ti);
                (cr, ci) = (cr * wr - ci * wi, cr * wi + ci * wr);
            }
        }
        len *= 2;
    }
}

fn program(n: u32) -> u64 {
    let mut rng = common::Rng::new(5);
    let mut re: Vec<f64> = (0..4096).map(|_| rng.unit()).collect();
    let mut im = vec![0.0; 4096];
    for _ in 0..n {
        fft(&mut re, &mut im, 1.0);
        fft(&mut re, &mut im, -1.0);
        re.iter_mut().chain(&mut im).for_each(|x| *x /= 4096.0);
    }
    re.iter().fold(0, |sum, x| common::mix(sum, x.to_bits()))
}
