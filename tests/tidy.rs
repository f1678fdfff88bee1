//! What a reviewer should not have to look for: arrows between crates, invariant numbers, file sizes, pointers made
//! from integers, notes to self.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our crates each may use: the arrows of `docs/architecture.md`. A test may use what stands above its crate.
const ARROWS: &[(&str, &[&str])] = &[
    ("sheave-isa", &[]),
    ("sheave-types", &[]),
    ("sheave-arena", &[]),
    ("sheave-fiber", &[]),
    (
        "sheave-interp",
        &["sheave-isa", "sheave-types", "sheave-arena"],
    ),
    ("sheave-loader", &["sheave-isa", "sheave-types"]),
    (
        "sheave-hostcalls",
        &[
            "sheave-isa",
            "sheave-types",
            "sheave-arena",
            "sheave-fiber",
            "sheave-interp",
            "sheave-loader",
        ],
    ),
    ("sheave", &["sheave-hostcalls"]),
    ("sheave-wast", &["sheave"]),
    ("sheave-cli", &["sheave", "sheave-wast"]),
    ("sheave-benches", &["sheave"]),
];

/// Files of more than [`MAX_LINES`] lines, each with the reason why it is not split.
const LONG_FILES: &[(&str, &str)] = &[];

const MAX_LINES: usize = 600;

/// Ways to make a pointer from an integer, or to hide one in an integer. Written in two parts, so that this file does
/// not hold them.
const POINTER_TRICKS: &[(&str, &str)] = &[
    ("with_exposed", "_provenance"),
    ("expose", "_provenance"),
    ("from_exposed", "_addr"),
    ("usize as ", "*"),
    ("u64 as ", "*"),
    ("u32 as ", "*"),
    ("transmute::<", "usize"),
    ("transmute::<", "u64"),
];

const NOTES_TO_SELF: &[(&str, &str)] = &[("TO", "DO"), ("FIX", "ME"), ("XX", "X")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the project with this extension, as a path from the root with its text.
fn files(extension: &str) -> Vec<(String, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder of the project") {
            let name = entry.expect("an entry").file_name();
            let name = name.to_str().expect("a name in UTF-8");
            let path = folder.join(name);
            let full = root().join(&path);
            // Neither what is built nor what is fetched belongs to the project.
            let foreign = matches!(name, "target" | "cache");
            if full.is_symlink() || name.starts_with('.') || foreign {
                continue;
            }
            if full.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                // A file may go away under us: other tests and the editor write here too.
                if let Ok(text) = fs::read_to_string(&full) {
                    found.push((path.to_str().expect("UTF-8").replace('\\', "/"), text));
                }
            }
        }
    }
    found.sort();
    found
}

fn fail_on(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// Lines of `text` with `path:line` in front, where `is_bad` says so.
fn complain(path: &str, text: &str, is_bad: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| is_bad(line));
    lines
        .map(|(index, line)| format!("{path}:{}: {}", index + 1, line.trim()))
        .collect()
}

#[test]
fn crates_use_only_what_the_architecture_allows() {
    let mut complaints = Vec::new();
    for (path, text) in files("toml") {
        let name = text
            .lines()
            .find_map(|line| line.strip_prefix("name = "))
            .map(|n| n.trim_matches('"'));
        let Some((name, allowed)) = name.and_then(|name| ARROWS.iter().find(|(n, _)| *n == name))
        else {
            continue;
        };
        let mut section = "";
        for line in text.lines() {
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_end_matches(']');
            }
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or("");
            let is_arrow = section.ends_with("dependencies")
                && !section.ends_with("dev-dependencies")
                && section != "workspace.dependencies"
                && dependency.starts_with("sheave");
            if is_arrow && !allowed.contains(&dependency) {
                complaints.push(format!("{path}: {name} must not use {dependency}"));
            }
        }
    }
    fail_on(&complaints);
}

#[test]
fn every_crate_has_its_line_among_the_arrows() {
    let manifests = files("toml").into_iter().filter(|(path, text)| {
        path.ends_with("Cargo.toml") && text.contains("version.workspace = true")
    });
    let known: BTreeSet<_> = ARROWS
        .iter()
        .map(|(name, _)| format!("name = \"{name}\""))
        .collect();
    let unknown = manifests.filter(|(_, text)| !text.lines().any(|line| known.contains(line)));
    let complaints: Vec<_> = unknown
        .map(|(path, _)| format!("{path}: not in ARROWS"))
        .collect();
    fail_on(&complaints);
}

#[test]
fn safety_comments_cite_invariants_that_exist() {
    let Ok(invariants) = fs::read_to_string(root().join("docs/invariants.md")) else {
        panic!("docs/invariants.md is missing");
    };
    let known: BTreeSet<_> = citations(&invariants).collect();
    let mut complaints = Vec::new();
    for (path, text) in files("rs") {
        let mut in_comment = false;
        for (index, line) in text.lines().enumerate() {
            let Some((_, comment)) = line.split_once("//") else {
                in_comment = false;
                continue;
            };
            in_comment |= comment.contains("SAFETY:") || comment.contains("# Safety");
            if in_comment {
                let unknown = citations(comment).filter(|number| !known.contains(number));
                complaints
                    .extend(unknown.map(|n| format!("{path}:{}: no invariant I{n}", index + 1)));
            }
        }
    }
    fail_on(&complaints);
}

/// The numbers of the invariants (`I1`, `I2`, …) named in a text.
fn citations(text: &str) -> impl Iterator<Item = u32> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter_map(|word| {
        word.strip_prefix('I')
            .and_then(|number| number.parse().ok())
    })
}

#[test]
fn files_are_short_enough_to_read() {
    let mut complaints = Vec::new();
    let files = files("rs");
    for (path, text) in &files {
        let lines = text.lines().count();
        let named = LONG_FILES.iter().any(|(long, _)| long == path);
        if lines > MAX_LINES && !named {
            complaints.push(format!(
                "{path}: {lines} lines; split it, or name it in LONG_FILES"
            ));
        }
    }
    let gone = LONG_FILES
        .iter()
        .filter(|(long, _)| !files.iter().any(|(path, _)| path == long));
    complaints.extend(gone.map(|(long, _)| format!("{long}: named in LONG_FILES, but not there")));
    fail_on(&complaints);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = files("rs")
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!") && !text.starts_with("#![doc"));
    let complaints: Vec<_> = silent
        .map(|(path, _)| format!("{path}: does not open with `//!`"))
        .collect();
    fail_on(&complaints);
}

#[test]
fn no_pointer_is_made_from_an_integer() {
    let complaints: Vec<_> = files("rs")
        .iter()
        .flat_map(|(path, text)| {
            complain(path, text, |line| {
                let code = line.split("//").next().unwrap_or("");
                POINTER_TRICKS
                    .iter()
                    .any(|(a, b)| code.contains(&[*a, *b].concat()))
            })
        })
        .collect();
    fail_on(&complaints);
}

#[test]
fn notes_to_self_are_issues_and_not_comments() {
    let mut complaints = Vec::new();
    for (path, text) in ["rs", "toml", "md", "sh", "yml"]
        .into_iter()
        .flat_map(files)
    {
        complaints.extend(complain(&path, &text, |line| {
            let mut words = line.split(|c: char| !c.is_ascii_alphanumeric());
            words.any(|word| NOTES_TO_SELF.iter().any(|(a, b)| word == [*a, *b].concat()))
        }));
    }
    fail_on(&complaints);
}
