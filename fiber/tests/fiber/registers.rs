//! What the compiler keeps in registers survives switches.

use std::hint::black_box;

use sheave_fiber::{Step, Suspender};

use crate::fiber;

const ROUNDS: u64 = if cfg!(miri) { 3 } else { 1000 };

/// Keeps more integers and floats alive than there are registers, across each switch, on either side.
macro_rules! many_values_live {
    ($seed:expr, $switch:expr) => {{
        let seed: u64 = black_box($seed);
        let ints: [u64; 24] = std::array::from_fn(|i| black_box(seed.wrapping_mul(i as u64 + 3)));
        let floats: [f64; 24] = std::array::from_fn(|i| black_box(seed as f64 / (i as f64 + 7.0)));
        let [
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            i,
            j,
            k,
            l,
            m,
            n,
            o,
            p,
            q,
            r,
            s,
            t,
            u,
            v,
            w,
            x,
        ] = ints;
        let [
            fa,
            fb,
            fc,
            fd,
            fe,
            ff,
            fg,
            fh,
            fi,
            fj,
            fk,
            fl,
            fm,
            fn_,
            fo,
            fp,
            fq,
            fr,
            fs,
            ft,
            fu,
            fv,
            fw,
            fx,
        ] = floats;
        for round in 0..ROUNDS {
            $switch(round);
            assert_eq!(
                [
                    a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x
                ],
                black_box(ints)
            );
            assert_eq!(
                [
                    fa, fb, fc, fd, fe, ff, fg, fh, fi, fj, fk, fl, fm, fn_, fo, fp, fq, fr, fs,
                    ft, fu, fv, fw, fx
                ],
                black_box(floats)
            );
        }
    }};
}

#[test]
fn integers_and_floats_survive_on_both_sides() {
    let mut f = fiber(|f: &Suspender<u64, u64>, seed| {
        many_values_live!(seed, |round| assert_eq!(f.suspend(round), round));
    });
    assert_eq!(f.resume(12345), Ok(Step::Yielded(0)));
    many_values_live!(987, |round: u64| {
        let expected = if round + 1 < ROUNDS {
            Step::Yielded(round + 1)
        } else {
            Step::Returned(())
        };
        assert_eq!(f.resume(round), Ok(expected));
    });
}

#[test]
fn floating_point_goes_on_where_it_was() {
    let series = |f: &Suspender<f64, f64>, mut x: f64| -> f64 {
        let (mut sum, mut term) = (1.0, 1.0);
        for n in 1..20 {
            term *= x / f64::from(n);
            sum += term;
            x = f.suspend(sum);
        }
        sum
    };
    let mut fibers = [fiber(series), fiber(series)];
    let mut last = [0.0; 2];
    for _ in 1..20 {
        for (f, (x, last)) in fibers.iter_mut().zip([0.5, 2.0].into_iter().zip(&mut last)) {
            let Ok(Step::Yielded(sum)) = f.resume(x) else {
                panic!("it suspends");
            };
            *last = sum;
        }
    }
    for (got, x) in last.into_iter().zip([0.5_f64, 2.0]) {
        assert!((got - x.exp()).abs() < 1e-9, "{got} {x}");
    }
}

#[test]
fn large_frames_with_odd_alignment_survive() {
    #[repr(align(64))]
    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Line([u8; 64]);

    fn nest(f: &Suspender<u8, u8>, depth: u8) -> usize {
        let lines = black_box([Line([depth; 64]); 3]);
        assert_eq!((&raw const lines).addr() % 64, 0);
        if depth > 0 {
            nest(f, depth - 1);
        }
        let got = f.suspend(depth);
        assert_eq!(lines, [Line([depth; 64]); 3]);
        usize::from(got)
    }
    let mut f = fiber(|f: &Suspender<u8, u8>, depth| nest(f, depth));
    for depth in 0..=20 {
        assert_eq!(f.resume(20), Ok(Step::Yielded(depth)));
    }
    assert_eq!(f.resume(7), Ok(Step::Returned(7)));
}
