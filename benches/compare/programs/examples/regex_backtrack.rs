//! A backtracking regular expression engine (back-references, look-around).
common::export!(program);

fn program(n: u32) -> u64 {
    let text = common::text(4_000);
    let re = fancy_regex::Regex::new(r"(?<!\.) \b(\w)(\w*)\b(?= \1|, )").unwrap();
    let mut sum = 0;
    for _ in 0..n {
        for found in re.find_iter(&text) {
            sum = common::mix(sum, found.unwrap().start() as u64);
        }
    }
    sum
}
