//! A hand-written state machine that tokenises source text, a byte at a time.
common::export!(program);

#[derive(Clone, Copy, PartialEq)]
enum State { Start, Word, Number, Fraction, Exponent, Text, Escape, Slash, Line, Block, BlockStar, Operator }

fn program(n: u32) -> u64 {
    let source: String = (0..300)
        .map(|i| format!("let x{i} = \"s\\n{i}\" + {i}.5e3 /* c ** {i} */ >>= f(a, {i}); // end\nif (x{i} <= 0x1f) {{ y /= {i}; }}\n"))
        .collect();
    let mut sum = 0;
    for _ in 0..n {
        let (mut state, mut tokens, mut start) = (State::Start, 0u64, 0);
        for (at, c) in source.bytes().enumerate() {
            let mut again = true;
            while again {
                again = false;
                let next = match (state, c) {
                    (State::Start, b'a'..=b'z' | b'A'..=b'Z' | b'_') => State::Word,
                    (State::Start, b'0'..=b'9') => State::Number,
                    (State::Start, b'"') => State::Text,
                    (State::Start, b'/') => State::Slash,
                    (State::Start, b'+' | b'-' | b'*' | b'=' | b'<' | b'>' | b'!') => State::Operator,
                    (State::Start, _) => State::Start,
                    (State::Word, b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'0'..=b'9') => State::Word,
                    (State::Number, b'0'..=b'9' | b'x' | b'a'..=b'd' | b'f') => State::Number,
                    (State::Number, b'.') => State::Fraction,
                    (State::Fraction, b'0'..=b'9') => State::Fraction,
                    (State::Fraction, b'e') => State::Exponent,
                    (State::Exponent, b'0'..=b'9' | b'+' | b'-') => State::Exponent,
                    (State::Text, b'\\') => State::Escape,
                    (State::Text, b'"') => State::Start,
                    (State::Text | State::Escape, _) => State::Text,
                    (State::Slash, b'/') => State::Line,
                    (State::Slash, b'*') => State::Block,
                    (State::Line, b'\n') => State::Start,
                    (State::Line, _) => State::Line,
                    (State::Block | State::BlockStar, b'*') => State::BlockStar,
                    (State::BlockStar, b'/') => State::Start,
                    (State::Block | State::BlockStar, _) => State::Block,
                    (State::Operator, b'=' | b'<' | b'>') => State::Operator,
                    _ => {
                        again = true;
                        State::Start
                    }
                };
                if next == State::Start && state != State::Start {
                    tokens += 1;
                    sum = common::mix(sum, (at - start) as u64 * 16 + state as u64);
                } else if state == State::Start {
                    start = at;
                }
                state = next;
            }
        }
        sum = common::mix(sum, tokens);
    }
    sum
}
