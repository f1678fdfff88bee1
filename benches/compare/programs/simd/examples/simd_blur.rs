//! Grey and a box blur of an RGBA image: plain loops over bytes and 16-bit sums, vectorised by the compiler.
common::export!(program);

const SIDE: usize = 256;

fn grey(rgba: &[u8], out: &mut [u8]) {
    for (pixel, out) in rgba.chunks_exact(4).zip(out) {
        let sum = u16::from(pixel[0]) * 77 + u16::from(pixel[1]) * 150 + u16::from(pixel[2]) * 29;
        *out = (sum >> 8) as u8;
    }
}

fn blur(from: &[u8], rows: &mut [u16], to: &mut [u8]) {
    for y in 1..SIDE - 1 {
        let row = |k: usize| &from[(y + k - 1) * SIDE..(y + k) * SIDE];
        let (above, here, below) = (row(0), row(1), row(2));
        for (((sum, a), b), c) in rows.iter_mut().zip(above).zip(here).zip(below) {
            *sum = u16::from(*a) + u16::from(*b) + u16::from(*c);
        }
        let out = &mut to[y * SIDE + 1..(y + 1) * SIDE - 1];
        for (out, sums) in out.iter_mut().zip(rows.windows(3)) {
            *out = (((sums[0] + sums[1] + sums[2]) * 28) >> 8) as u8;
        }
    }
}

fn program(n: u32) -> u64 {
    let image: Vec<u8> = (0..SIDE * SIDE * 4).map(|i| (i * i / 7) as u8).collect();
    let mut one = vec![0; SIDE * SIDE];
    let mut two = one.clone();
    let mut rows = vec![0; SIDE];
    let mut mix = 0;
    for _ in 0..n {
        grey(&image, &mut one);
        for _ in 0..2 {
            blur(&one, &mut rows, &mut two);
            blur(&two, &mut rows, &mut one);
        }
        mix = common::mix_bytes(mix, &one[SIDE * 100..SIDE * 101]);
    }
    mix
}
