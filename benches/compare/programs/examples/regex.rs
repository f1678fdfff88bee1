//! The regex crate: compile, find, capture.
common::export!(program);

fn program(n: u32) -> u64 {
    let text = common::text(20_000);
    let mut sum = 0;
    let patterns = [
        r"(\w+)\s+(memory|store|table)\b",
        r"[A-Z][a-zü]+|\bna.ve\b",
        r"(?i)(re)?loc(at)?able|cont[a-z]*ion",
        r"\b(\w)\w*\s+\w*(ing|ion|ot)[,.]",
    ];
    let compiled: Vec<_> = patterns.iter().map(|p| regex::Regex::new(p).unwrap()).collect();
    for _ in 0..n {
        for re in &compiled {
            for found in re.captures_iter(&text) {
                let all = found.get(0).unwrap();
                sum = common::mix(sum, (all.start() * 31 + all.len()) as u64);
            }
        }
    }
    sum
}
