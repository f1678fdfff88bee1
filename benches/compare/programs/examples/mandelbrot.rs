//! The Mandelbrot set, f64.
common::export!(program);

fn program(n: u32) -> u64 {
    let size = n;
    let mut sum = 0;
    for y in 0..size {
        for x in 0..size {
            let (cr, ci) = (f64::from(x) * 2.5 / f64::from(size) - 2.0, f64::from(y) * 2.4 / f64::from(size) - 1.2);
            let (mut zr, mut zi, mut i) = (0.0, 0.0, 0u64);
            while i < 200 {
                let (r2, i2) = (zr * zr, zi * zi);
                if r2 + i2 > 4.0 {
                    break;
                }
                zi = 2.0 * zr * zi + ci;
                zr = r2 - i2 + cr;
                i += 1;
            }
            sum = common::mix(sum, i);
        }
    }
    sum
}
