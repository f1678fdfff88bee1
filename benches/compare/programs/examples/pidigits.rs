//! Big integers: digits of pi by a spigot, and a factorial.
use num_bigint::BigUint;
common::export!(program);

fn program(n: u32) -> u64 {
    let unit = BigUint::from(10u32).pow(n);
    let arctan = |x: u32| {
        let mut term = &unit / x;
        let (mut sum, mut k, mut plus) = (term.clone(), 1u32, false);
        while term > BigUint::from(0u32) {
            term /= x * x;
            k += 2;
            if plus { sum += &term / k } else { sum -= &term / k }
            plus = !plus;
        }
        sum
    };
    let pi = (arctan(5) * 4u32 - arctan(239)) * 4u32;
    let factorial = (1..=n).fold(BigUint::from(1u32), |f, i| f * i);
    common::mix_bytes(common::mix_bytes(0, pi.to_string().as_bytes()), factorial.to_string().as_bytes())
}
