//! Reads the rows of `ops.isa` and expands them into their forms.

use crate::{Operand, Row};

pub(crate) fn parse(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut section = String::new();
    let mut doc = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if line.is_empty() || (line.starts_with("//") && !line.starts_with("///")) {
            continue;
        }
        if let Some(d) = line.strip_prefix("///") {
            if !doc.is_empty() {
                doc.push(' ');
            }
            doc.push_str(d.trim());
            continue;
        }
        if let Some(s) = line.strip_prefix("section") {
            section = s.trim().trim_matches('"').to_string();
            continue;
        }
        let mut row = line.to_string();
        while row.matches('{').count() != row.matches('}').count() {
            row.push(' ');
            row.push_str(lines.next().expect("a row's braces balance").trim());
        }
        expand(&row, &section, &std::mem::take(&mut doc), &mut rows);
    }
    rows
}

fn braces(s: &str) -> (&str, &str) {
    let mut depth = 0;
    for (i, c) in s.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return (s[1..i].trim(), s[i + 1..].trim());
                }
            }
            _ => {}
        }
    }
    panic!("unbalanced: {s}");
}

fn operand(name: &str, spec: &str) -> Operand {
    let mut words = spec.split_whitespace();
    let role = words.next().expect("a role").to_string();
    let ty = words.next().unwrap_or(match role.as_str() {
        "set" | "range" | "base" | "table" | "mem" => "u16",
        "label" => "i32",
        _ => "u32",
    });
    Operand {
        name: name.to_string(),
        role,
        ty: ty.to_string(),
    }
}

fn expand(row: &str, section: &str, doc: &str, rows: &mut Vec<Row>) {
    let open = row.find('{').expect("a row has braces");
    let mut head = row[..open].split_whitespace();
    let kind = head.next().expect("a kind").to_string();
    let mut rest: Vec<&str> = head.collect();
    let mut attrs = Vec::new();
    while let Some(a) = rest.first().and_then(|w| w.strip_prefix('[')) {
        attrs.push(a.trim_end_matches(']').to_string());
        rest.remove(0);
    }
    let name = rest[0].to_string();
    let base = Row {
        section: section.into(),
        doc: doc.into(),
        kind: kind.clone(),
        attrs,
        name: name.clone(),
        ..Row::default()
    };
    let (first, after) = braces(&row[open..]);
    match kind.as_str() {
        // Without a type these are single rows, written out.
        "load" | "store" if rest.len() == 1 => {}
        "load" => return expand_load(base, &rest, first, rows),
        "store" => return expand_store(base, &rest, first, rows),
        _ => {}
    }
    let effect = if after.is_empty() {
        String::new()
    } else {
        braces(after).0.to_string()
    };
    // Each operand has one or two alternatives.
    let mut plain = Vec::new();
    let mut alternatives = Vec::new();
    let specs: Vec<&str> = first
        .split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .collect();
    for (i, spec) in specs.iter().enumerate() {
        let (n, alts) = spec.split_once(':').expect("name: role type");
        let mut alts = alts.split('|').map(str::trim);
        plain.push(operand(n.trim(), alts.next().expect("a role")));
        if let Some(alt) = alts.next() {
            alternatives.push((
                i,
                operand(n.trim(), alt),
                if i + 1 == specs.len() {
                    "_imm"
                } else {
                    "_rimm"
                },
            ));
        }
    }
    let mut forms = vec![(String::new(), plain.clone(), effect.clone())];
    for (i, alt, suffix) in &alternatives {
        let mut operands = plain.clone();
        let slot_ty = operands[*i].ty.clone();
        operands[*i] = alt.clone();
        let n = &alt.name;
        forms.push((
            suffix.to_string(),
            operands,
            format!("let {n} = {n} as {slot_ty}; {effect}"),
        ));
    }
    let links: Vec<(&'static str, String)> = forms[1..]
        .iter()
        .map(|(s, ..)| {
            (
                if s == "_imm" { "imm" } else { "rimm" },
                format!("{name}{s}"),
            )
        })
        .collect();
    let negated = rest
        .iter()
        .position(|w| *w == "not")
        .map(|i| rest[i + 1].to_string());
    let mut selections = Vec::new();
    for (suffix, operands, effect) in forms {
        let mut r = base.clone();
        r.name = format!("{name}{suffix}");
        r.links = if suffix.is_empty() {
            links.clone()
        } else {
            Vec::new()
        };
        r.effect = effect.clone();
        r.operands = operands.clone();
        if matches!(kind.as_str(), "load" | "store") && !name.ends_with("_mem") {
            r.links.push(("mem", format!("{name}_mem")));
        }
        if kind == "compare" {
            r.kind = "value".into();
            r.doc = format!("`dst = {}`. {doc}", last_expr(&effect));
            r.effect = format!("({{ {effect} }}) as u32");
            r.operands.insert(
                0,
                Operand {
                    name: "dst".into(),
                    role: "out".into(),
                    ty: "u32".into(),
                },
            );
            r.links.push(("branch", format!("br_{name}{suffix}")));
            if selects(&name) {
                r.links.push(("select", format!("select_{name}{suffix}")));
                let mut sel = base.clone();
                sel.kind = "value".into();
                sel.name = format!("select_{name}{suffix}");
                sel.doc = format!("`dst = if {} {{ x }} else {{ y }}`.", last_expr(&effect));
                sel.operands = operands.clone();
                sel.operands.insert(0, op("dst", "out", "u64"));
                sel.operands
                    .extend([op("x", "in", "u64"), op("y", "in", "u64")]);
                sel.effect = format!("let cond = {{ {effect} }}; if cond {{ x }} else {{ y }}");
                selections.push(sel);
            }
            if let Some(neg) = &negated {
                r.links.push(("negated", format!("{neg}{suffix}")));
                r.links.push(("branch_not", format!("br_{neg}{suffix}")));
            } else {
                r.links
                    .push(("branch_not", format!("br_not_{name}{suffix}")));
            }
            rows.push(r.clone());
            let branch = |not: bool| {
                let mut b = base.clone();
                b.kind = "control".into();
                b.attrs = vec!["keep".into()];
                b.name = format!("br_{}{name}{suffix}", if not { "not_" } else { "" });
                let cond = if not {
                    format!("!({})", last_expr(&effect))
                } else {
                    last_expr(&effect).to_string()
                };
                b.doc = format!("Goes to `target` if `{cond}`.");
                b.operands = operands.clone();
                b.operands.push(Operand {
                    name: "target".into(),
                    role: "label".into(),
                    ty: "i32".into(),
                });
                b.effect = format!(
                    "let cond = {}{{ {effect} }}; @branch(cond, target)",
                    if not { "!" } else { "" }
                );
                b
            };
            rows.push(branch(false));
            if negated.is_none() {
                rows.push(branch(true));
            }
        } else {
            rows.push(r);
        }
    }
    rows.extend(selections);
}

/// The comparisons that `select` is fused with; the others are these with operands or values exchanged.
fn selects(name: &str) -> bool {
    matches!(
        name,
        "i32_eq"
            | "i32_lt_s"
            | "i32_lt_u"
            | "i32_gt_s"
            | "i32_gt_u"
            | "i64_eq"
            | "i64_lt_s"
            | "i64_lt_u"
            | "f32_lt"
            | "f64_lt"
    )
}

fn last_expr(effect: &str) -> &str {
    effect.rsplit(';').next().expect("an expression").trim()
}

fn op(name: &str, role: &str, ty: &str) -> Operand {
    Operand {
        name: name.into(),
        role: role.into(),
        ty: ty.into(),
    }
}

fn expand_load(base: Row, rest: &[&str], map: &str, rows: &mut Vec<Row>) {
    // NAME T of M { map }
    let (ty, mem) = (rest[1], rust_name(rest[3]));
    let few = base.attrs.iter().any(|a| a == "few");
    let dst = op("dst", "out", ty);
    let mut push = |suffix: &str, how: &str, operands: Vec<Operand>, address: &str| {
        if few && !FEW.contains(&suffix) {
            return;
        }
        let mut r = base.clone();
        r.name = format!("{}{suffix}", base.name);
        r.doc = format!("{} {how}", base.doc);
        r.operands = operands;
        r.effect = format!("let v: {mem} = {address}; {map}");
        match suffix {
            "" if few => r.links = few_links(&base.name),
            "" => r.links = address_links(&base.name),
            "_m64" => r.links = address_links_m64(&base.name),
            _ => {}
        }
        rows.push(r);
    };
    push(
        "",
        "Address: `addr + offset` in memory 0.",
        vec![
            dst.clone(),
            op("addr", "in", "u32"),
            op("offset", "imm", "u32"),
        ],
        "@load(addr as u64 + offset as u64)",
    );
    push(
        "_add",
        "Address: `(a + b) mod 2^32 + offset` in memory 0.",
        vec![
            dst.clone(),
            op("a", "in", "u32"),
            op("b", "in", "u32"),
            op("offset", "imm", "u16"),
        ],
        "@load(a.wrapping_add(b) as u64 + offset as u64)",
    );
    push(
        "_addi",
        "Address: `(a + imm) mod 2^32` in memory 0.",
        vec![dst.clone(), op("a", "in", "u32"), op("imm", "imm", "i32")],
        "@load(a.wrapping_add(imm as u32) as u64)",
    );
    push(
        "_abs",
        "Address: `addr` in memory 0.",
        vec![dst.clone(), op("addr", "imm", "u32")],
        "@load(addr as u64)",
    );
    if indexed(&base.name) {
        push(
            "_add_shl",
            "Address: `(a + (b << k)) mod 2^32 + offset` in memory 0.",
            vec![
                dst.clone(),
                op("a", "in", "u32"),
                op("b", "in", "u32"),
                op("k", "imm", "u16"),
                op("offset", "imm", "u16"),
            ],
            "@load(a.wrapping_add(b.wrapping_shl(k as u32)) as u64 + offset as u64)",
        );
    }
    push(
        "_m64",
        "Address: `addr + offset` in memory 0, which has 64-bit addresses.",
        vec![
            dst.clone(),
            op("addr", "in", "u64"),
            op("offset", "imm", "u32"),
        ],
        "@load64(addr, offset as u64)",
    );
    push(
        "_m64_add",
        "Address: `(a + b) mod 2^64 + offset` in memory 0, which has 64-bit addresses.",
        vec![
            dst.clone(),
            op("a", "in", "u64"),
            op("b", "in", "u64"),
            op("offset", "imm", "u16"),
        ],
        "@load64(a.wrapping_add(b), offset as u64)",
    );
    push(
        "_m64_addi",
        "Address: `(a + imm) mod 2^64` in memory 0, which has 64-bit addresses.",
        vec![dst.clone(), op("a", "in", "u64"), op("imm", "imm", "i32")],
        "@load64(a.wrapping_add(imm as u64), 0)",
    );
    push(
        "_mem",
        "Address: `addr + offset` in memory `mem`.",
        vec![
            dst,
            op("addr", "in", "u64"),
            op("offset", "imm", "u32"),
            op("mem", "mem", "u16"),
        ],
        "@load_mem(mem, addr, offset as u64)",
    );
}

/// The forms of a load or store with the attribute `few`; memories with 64-bit addresses have the last.
const FEW: &[&str] = &["", "_add", "_mem"];

fn few_links(name: &str) -> Vec<(&'static str, String)> {
    ["add", "mem"].map(|s| (s, format!("{name}_{s}"))).into()
}

/// The Rust type of a value in memory.
fn rust_name(ty: &str) -> &str {
    if ty == "v128" { "V128" } else { ty }
}

/// The other ways to give the address, of loads and stores alike.
fn address_links(name: &str) -> Vec<(&'static str, String)> {
    let mut forms = vec!["add", "addi", "abs", "mem", "m64"];
    if indexed(name) {
        forms.push("add_shl");
    }
    forms
        .into_iter()
        .map(|s| (s, format!("{name}_{s}")))
        .collect()
}

/// As `address_links`, of the form for 64-bit addresses.
fn address_links_m64(name: &str) -> Vec<(&'static str, String)> {
    vec![
        ("add", format!("{name}_m64_add")),
        ("addi", format!("{name}_m64_addi")),
        ("abs", format!("{name}_abs")),
        ("mem", format!("{name}_mem")),
    ]
}

/// The loads and stores that index arrays of 2, 4 or 8 bytes an element have a form for it.
fn indexed(name: &str) -> bool {
    matches!(
        name,
        "i32_load"
            | "i64_load"
            | "f32_load"
            | "f64_load"
            | "i32_load16_u"
            | "i32_load16_s"
            | "i32_store"
            | "i64_store"
            | "f32_store"
            | "f64_store"
            | "i32_store16"
            | "v128_load"
            | "v128_store"
    )
}

fn expand_store(base: Row, rest: &[&str], map: &str, rows: &mut Vec<Row>) {
    let (ty, mem) = (rest[1], rust_name(rest[3]));
    let val = op("val", "in", ty);
    let int = ty.starts_with(['i', 'u']);
    let mut push = |suffix: &str, how: &str, operands: Vec<Operand>, conv: &str, address: &str| {
        let mut r = base.clone();
        r.attrs = vec!["keep".into()];
        r.name = format!("{}{suffix}", base.name);
        r.doc = format!("{} {how}", base.doc);
        r.operands = operands;
        r.effect = format!("let v = val{conv}; let v: {mem} = {{ {map} }}; {address}");
        match suffix {
            "" => r.links = address_links(&base.name),
            "_m64" => r.links = address_links_m64(&base.name),
            _ => {}
        }
        if int && matches!(suffix, "" | "_m64") {
            r.links.push(("imm", format!("{}_imm", r.name)));
        }
        rows.push(r);
    };
    push(
        "",
        "Address: `addr + offset` in memory 0.",
        vec![
            op("addr", "in", "u32"),
            val.clone(),
            op("offset", "imm", "u32"),
        ],
        "",
        "@store(addr as u64 + offset as u64, v)",
    );
    if int {
        push(
            "_imm",
            "Address: `addr + offset` in memory 0.",
            vec![
                op("addr", "in", "u32"),
                op("val", "imm", "i16"),
                op("offset", "imm", "u32"),
            ],
            &format!(" as {ty}"),
            "@store(addr as u64 + offset as u64, v)",
        );
    }
    push(
        "_add",
        "Address: `(a + b) mod 2^32 + offset` in memory 0.",
        vec![
            op("a", "in", "u32"),
            op("b", "in", "u32"),
            val.clone(),
            op("offset", "imm", "u16"),
        ],
        "",
        "@store(a.wrapping_add(b) as u64 + offset as u64, v)",
    );
    push(
        "_addi",
        "Address: `(a + imm) mod 2^32` in memory 0.",
        vec![op("a", "in", "u32"), op("imm", "imm", "i32"), val.clone()],
        "",
        "@store(a.wrapping_add(imm as u32) as u64, v)",
    );
    push(
        "_abs",
        "Address: `addr` in memory 0.",
        vec![op("addr", "imm", "u32"), val.clone()],
        "",
        "@store(addr as u64, v)",
    );
    if indexed(&base.name) {
        push(
            "_add_shl",
            "Address: `(a + (b << k)) mod 2^32 + offset` in memory 0.",
            vec![
                op("a", "in", "u32"),
                op("b", "in", "u32"),
                val.clone(),
                op("k", "imm", "u16"),
                op("offset", "imm", "u16"),
            ],
            "",
            "@store(a.wrapping_add(b.wrapping_shl(k as u32)) as u64 + offset as u64, v)",
        );
    }
    push(
        "_m64",
        "Address: `addr + offset` in memory 0, which has 64-bit addresses.",
        vec![
            op("addr", "in", "u64"),
            val.clone(),
            op("offset", "imm", "u32"),
        ],
        "",
        "@store64(addr, offset as u64, v)",
    );
    if int {
        push(
            "_m64_imm",
            "Address: `addr + offset` in memory 0, which has 64-bit addresses.",
            vec![
                op("addr", "in", "u64"),
                op("val", "imm", "i16"),
                op("offset", "imm", "u32"),
            ],
            &format!(" as {ty}"),
            "@store64(addr, offset as u64, v)",
        );
    }
    push(
        "_m64_add",
        "Address: `(a + b) mod 2^64 + offset` in memory 0, which has 64-bit addresses.",
        vec![
            op("a", "in", "u64"),
            op("b", "in", "u64"),
            val.clone(),
            op("offset", "imm", "u16"),
        ],
        "",
        "@store64(a.wrapping_add(b), offset as u64, v)",
    );
    push(
        "_m64_addi",
        "Address: `(a + imm) mod 2^64` in memory 0, which has 64-bit addresses.",
        vec![op("a", "in", "u64"), op("imm", "imm", "i32"), val.clone()],
        "",
        "@store64(a.wrapping_add(imm as u64), 0, v)",
    );
    push(
        "_mem",
        "Address: `addr + offset` in memory `mem`.",
        vec![
            op("addr", "in", "u64"),
            val,
            op("offset", "imm", "u32"),
            op("mem", "mem", "u16"),
        ],
        "",
        "@store_mem(mem, addr, offset as u64, v)",
    );
}
