//! Edit distance between words: dynamic programming.
common::export!(program);

fn program(n: u32) -> u64 {
    let text = common::text(8000);
    let words: Vec<Vec<char>> = text.split(". ").map(|s| s.chars().collect()).collect();
    let mut sum = 0;
    for i in 0..n as usize {
        let (a, b) = (&words[i % words.len()], &words[(i * 7 + 3) % words.len()]);
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (y, ca) in a.iter().enumerate() {
            let mut diagonal = row[0];
            row[0] = y + 1;
            for (x, cb) in b.iter().enumerate() {
                let best = (diagonal + (ca != cb) as usize).min(row[x] + 1).min(row[x + 1] + 1);
                diagonal = std::mem::replace(&mut row[x + 1], best);
            }
        }
        sum = common::mix(sum, row[b.len()] as u64);
    }
    sum
}
