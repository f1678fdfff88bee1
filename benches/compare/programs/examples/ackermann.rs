//! Ackermann's and Takeuchi's functions: deep recursion with several arguments.
common::export!(program);

#[inline(never)]
fn ackermann(m: u32, n: u32) -> u32 {
    match (m, n) {
        (0, n) => n + 1,
        (m, 0) => ackermann(m - 1, 1),
        (m, n) => ackermann(m - 1, ackermann(m, n - 1)),
    }
}

#[inline(never)]
fn tak(x: i32, y: i32, z: i32) -> i32 {
    if y >= x { z } else { tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) }
}

fn program(n: u32) -> u64 {
    let a = ackermann(2, n * 10);
    let t = (0..n as i32).fold(0, |sum, i| sum + tak(12 + i % 2, 8, 4));
    common::mix(u64::from(a), t as u64)
}
