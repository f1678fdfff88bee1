//! Calls through a table of function pointers.
common::export!(program);

type Op = fn(u32, u32) -> u32;
fn add(a: u32, b: u32) -> u32 { a.wrapping_add(b) }
fn sub(a: u32, b: u32) -> u32 { a.wrapping_sub(b) }
fn mul(a: u32, b: u32) -> u32 { a.wrapping_mul(b | 1) }
fn xor(a: u32, b: u32) -> u32 { a ^ b }
fn rot(a: u32, b: u32) -> u32 { a.rotate_left(b & 31) }
fn mid(a: u32, b: u32) -> u32 { (a & b).wrapping_add((a ^ b) >> 1) }
fn neg(a: u32, b: u32) -> u32 { (!a).wrapping_add(b) }
fn pop(a: u32, b: u32) -> u32 { a.wrapping_add(b.count_ones()) }

fn program(n: u32) -> u64 {
    let ops: [Op; 8] = [add, sub, mul, xor, rot, mid, neg, pop];
    let ops = std::hint::black_box(&ops);
    let mut x = 12345u32;
    for i in 0..n * 1000 {
        x = ops[(x ^ i) as usize & 7](x, i);
    }
    u64::from(x)
}
