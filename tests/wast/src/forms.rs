//! A script in pieces.
//!
//! Under Miri the time to parse a text grows with the square of its length: each look at the rest of it is a borrow of all of it. So there
//! every form is a text of its own.

/// The forms of a script, each with the line (from 0) that it begins in. All of it, if it is not one of directives.
pub(crate) fn forms(text: &str) -> Vec<(usize, &str)> {
    let mut forms = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let next = bytes.get(at + 1);
        match (byte, next) {
            (b';', Some(b';')) => at = end_of_line(bytes, at),
            (b'(', Some(b';')) => at = end_of_comment(bytes, at),
            (b'"', _) => at = end_of_string(bytes, at),
            (b'(', _) => {
                if depth == 0 {
                    start = at;
                }
                depth += 1;
            }
            (b')', _) => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    forms.push((start, &text[start..=at]));
                }
            }
            _ => {}
        }
        at += 1;
    }
    if depth > 0 || !forms.iter().all(|(_, form)| is_directive(form)) {
        return vec![(0, text)];
    }
    let (mut line, mut counted) = (0, 0);
    for (start, _) in &mut forms {
        let lines = bytes[counted..*start].iter().filter(|b| **b == b'\n');
        line += lines.count();
        counted = core::mem::replace(start, line);
    }
    forms
}

fn is_directive(form: &str) -> bool {
    let word = form[1..].trim_start();
    ["module", "register", "invoke", "get", "assert_"]
        .iter()
        .any(|known| word.starts_with(known))
}

/// The last byte of a comment to the end of the line.
fn end_of_line(bytes: &[u8], at: usize) -> usize {
    let rest = bytes[at..].iter().position(|b| *b == b'\n');
    rest.map_or(bytes.len(), |length| at + length)
}

/// The last byte of a comment in parentheses, which may hold others.
fn end_of_comment(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(two) = bytes.get(at..at + 2) {
        match two {
            b"(;" => depth += 1,
            b";)" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at - 1;
        }
    }
    bytes.len()
}

/// The last byte of a string.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    at += 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at,
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::forms;

    #[test]
    fn forms_are_split_where_strings_and_comments_end() {
        let text =
            "(module $a \")\\\")\" (; ( (; ) ;) ;))\n;; ( \n(assert_trap (invoke \"f\") \"x\")";
        let module = "(module $a \")\\\")\" (; ( (; ) ;) ;))";
        assert_eq!(
            forms(text),
            [(0, module), (2, "(assert_trap (invoke \"f\") \"x\")")]
        );
    }

    #[test]
    fn a_script_that_is_no_list_of_directives_stays_whole() {
        for text in ["(func) (memory 1)", "(module", "(module) (func)"] {
            assert_eq!(forms(text), [(0, text)]);
        }
        assert_eq!(forms(";; nothing\n"), []);
    }
}
