//! String work: split, change case, replace, reverse, search, UTF-8 decoding.
common::export!(program);

fn program(n: u32) -> u64 {
    let text = common::text(10_000);
    let mut sum = 0;
    for _ in 0..n {
        let upper = text.to_uppercase();
        let swapped = upper.replace("MEMORY", "Speicher").replace('.', " / ");
        let turned: String = swapped.split_whitespace().rev().map(|w| w.chars().rev().collect::<String>()).collect::<Vec<_>>().join("-");
        let found = turned.match_indices("TOLS").count() + turned.matches("ü").count() + text.find("continuation.").unwrap_or(7);
        sum = common::mix(common::mix_bytes(sum, turned.as_bytes()), found as u64);
    }
    sum
}
