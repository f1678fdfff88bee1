//! The texts of effects.

/// Splits `word(args)rest` after the word; gives the arguments and the rest.
pub(crate) fn args(s: &str) -> (Vec<String>, &str) {
    assert!(s.starts_with('('), "arguments expected: {s}");
    let (mut depth, mut start, mut out) = (0, 1, Vec::new());
    for (i, c) in s.char_indices() {
        match c {
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => {
                depth -= 1;
                if depth == 0 {
                    if i > start {
                        out.push(s[start..i].trim().to_string());
                    }
                    return (out, &s[i + 1..]);
                }
            }
            ',' if depth == 1 => {
                out.push(s[start..i].trim().to_string());
                start = i + 1;
            }
            _ => {}
        }
    }
    panic!("unbalanced: {s}");
}
