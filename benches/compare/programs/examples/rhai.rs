//! A script interpreter written in Rust (Rhai).
common::export!(program);

fn program(n: u32) -> u64 {
    let script = r#"
        fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }
        let primes = [];
        for i in 2..LIMIT {
            let prime = true;
            for p in primes { if p * p > i { break; } if i % p == 0 { prime = false; break; } }
            if prime { primes.push(i); }
        }
        let text = "";
        for p in primes { text += p.to_string(); }
        fib(11) + primes.len() + text.len()
    "#
    .replace("LIMIT", &(n * 10).to_string());
    let engine = rhai::Engine::new();
    engine.eval::<i64>(&script).unwrap() as u64
}
