//! Markdown to HTML.
common::export!(program);

fn program(n: u32) -> u64 {
    let mut source = String::new();
    for (i, paragraph) in common::text(12_000).split("\n\n").enumerate() {
        match i % 5 {
            0 => source.push_str(&format!("## {paragraph}\n\n")),
            1 => source.push_str(&format!("* *{paragraph}*\n* [a link](https://example.org/{i}) and `code`\n\n")),
            2 => source.push_str(&format!("> {paragraph}\n\n```rust\nfn f{i}() {{}}\n```\n\n")),
            3 => source.push_str(&format!("| a | b |\n|---|--:|\n| {i} | **{paragraph}** |\n\n")),
            _ => source.push_str(&format!("{paragraph}\n\n")),
        }
    }
    let mut sum = 0;
    for _ in 0..n {
        let mut html = String::new();
        pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new_ext(&source, pulldown_cmark::Options::all()));
        sum = common::mix_bytes(sum, html.as_bytes());
    }
    sum
}
