//! Continuations: scripts in the suite's own format, on both executors, also where every allocation collects.
//!
//! Those in `tests/continuations` cover the rules in `docs/continuation-rules.md`. The proposal's own are run where they
//! are: in `shared/spec/stack-switching` of a folder around the project.

use sheave_wast::{Executor, Options};
use std::path::{Path, PathBuf};

macro_rules! scripts {
    ($($name:ident)*) => {
        /// The scripts by name, so that also Miri can read them.
        const SCRIPTS: &[(&str, &str)] = &[$(
            (stringify!($name), include_str!(concat!("continuations/", stringify!($name), ".wast")))
        ),*];
    };
}

scripts! {
    types
    values
    once
    dispatch
    switch
    exceptions
    traps
    tail_calls
    stacks
    collect
    instances
}

/// Scripts for Miri, to which each takes minutes.
const UNDER_MIRI: [&str; 3] = ["switch", "exceptions", "collect"];

/// Gives how many assertions held.
fn run(name: &str, text: &str, executor: Executor, gc_stress: bool) -> usize {
    if !executor.available() {
        return 0;
    }
    let options = Options {
        features: Some("all".parse().expect("a list of features")),
        executor: Some(executor),
        gc_stress,
    };
    let report = sheave_wast::run(text, &options);
    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert!(
        failures.is_empty(),
        "{name} on {executor:?}:\n{}",
        failures.join("\n")
    );
    report.passed
}

fn run_all(executor: Executor, gc_stress: bool) {
    let chosen = |name: &str| !cfg!(miri) || UNDER_MIRI.contains(&name);
    for (name, text) in SCRIPTS.iter().filter(|(name, _)| chosen(name)) {
        let passed = run(name, text, executor, gc_stress);
        assert!(
            passed > 0 || !executor.available(),
            "{name} asserts nothing"
        );
    }
}

#[test]
#[cfg_attr(miri, ignore = "not what Miri can run")]
fn every_rule_holds_on_the_threaded_executor() {
    run_all(Executor::Threaded, false);
    run_all(Executor::Threaded, true);
}

#[test]
fn every_rule_holds_on_the_portable_executor() {
    run_all(Executor::Portable, false);
}

#[test]
fn every_rule_holds_where_every_allocation_collects() {
    run_all(Executor::Portable, true);
}

#[test]
#[cfg_attr(miri, ignore = "reads a folder")]
fn every_script_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/continuations");
    for file in files(&folder) {
        let name = file.file_stem().expect("a name").to_string_lossy();
        assert!(
            SCRIPTS.iter().any(|(known, _)| *known == name),
            "{name} is not in the list"
        );
    }
}

#[test]
#[cfg_attr(miri, ignore = "reads a folder")]
fn the_scripts_of_the_proposal_pass_where_they_are() {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let folder = folders
        .map(|folder| folder.join("shared/spec/stack-switching"))
        .find(|folder| folder.is_dir());
    let Some(folder) = folder else {
        println!("skipped: no folder shared/spec/stack-switching around the project");
        return;
    };
    let scripts = [files(&folder), files(&folder.join("examples"))].concat();
    let mut passed = 0;
    for file in &scripts {
        let text = std::fs::read_to_string(file).expect("a text");
        let name = file.display().to_string();
        for executor in [Executor::Threaded, Executor::Portable] {
            passed += run(&name, &text, executor, false);
            passed += run(&name, &text, executor, true);
        }
    }
    println!("{} scripts, {passed} assertions passed", scripts.len());
}

/// The scripts in a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "wast"))
        .collect();
    files.sort();
    files
}
