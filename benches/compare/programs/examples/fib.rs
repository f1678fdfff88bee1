//! Recursive Fibonacci: nothing but calls.
common::export!(program);

#[inline(never)]
fn fib(n: u32) -> u32 {
    if std::hint::black_box(n) < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

fn program(n: u32) -> u64 {
    u64::from(fib(n))
}
