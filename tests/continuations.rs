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

/// Whether a script is run: Miri takes a minute for each of these, and many for the others.
fn is_chosen(name: &str, way: Way) -> bool {
    let under_miri: &[&str] = match way {
        Way::Plain => &["once", "dispatch", "switch", "traps", "tail_calls"],
        Way::Stress | Way::Snapshots => &["collect"],
    };
    !cfg!(miri) || under_miri.contains(&name)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Plain,
    /// Every allocation collects.
    Stress,
    /// Each command has a store that is restored from a snapshot of the one before.
    Snapshots,
}

/// Gives how many assertions held.
fn run(name: &str, text: &str, executor: Executor, way: Way) -> usize {
    if !executor.available() {
        return 0;
    }
    let options = Options {
        features: Some("all".parse().expect("a list of features")),
        executor: Some(executor),
        gc_stress: way == Way::Stress,
        snapshots: way == Way::Snapshots,
    };
    let report = sheave_wast::run(text, &options);
    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert!(
        failures.is_empty(),
        "{name} on {executor:?}, {way:?}:\n{}",
        failures.join("\n")
    );
    report.passed
}

fn run_all(executor: Executor, way: Way) {
    for (name, text) in SCRIPTS.iter().filter(|(name, _)| is_chosen(name, way)) {
        let passed = run(name, text, executor, way);
        assert!(
            passed > 0 || !executor.available(),
            "{name} asserts nothing"
        );
    }
}

#[test]
#[cfg_attr(miri, ignore = "not what Miri can run")]
fn every_rule_holds_on_the_threaded_executor() {
    run_all(Executor::Threaded, Way::Plain);
    run_all(Executor::Threaded, Way::Stress);
}

#[test]
fn every_rule_holds_on_the_portable_executor() {
    run_all(Executor::Portable, Way::Plain);
}

#[test]
fn every_rule_holds_where_every_allocation_collects() {
    run_all(Executor::Portable, Way::Stress);
}

#[test]
#[cfg_attr(miri, ignore = "snapshots have tests of their own")]
fn every_rule_holds_in_stores_restored_between_any_two_commands() {
    run_all(Executor::best(), Way::Snapshots);
}

/// A script in which `n` numbers are arguments, payload, what a suspension gives, results, bound in two halves, and the
/// payload of an exception.
fn many_values(n: usize) -> String {
    let types = "i64 ".repeat(n);
    let rest = "i64 ".repeat(n - n / 2);
    let push = |from: usize, to: usize| {
        let push = |i| format!("(i64.add (local.get $x) (i64.const {i}))");
        (from..to).map(push).collect::<String>()
    };
    // The last is on top.
    let fold = "(local.set $y) (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (local.get $y)))";
    let fold = fold.repeat(n);
    let sum = |x: i64| {
        let values = (0..n as i64).rev();
        values.fold(0_i64, |sum, i| sum.wrapping_mul(31).wrapping_add(x + i))
    };
    let params = (0..n)
        .map(|i| format!("(local.get {i})"))
        .collect::<String>();
    let all = push(0, n);
    let (first, last) = (push(0, n / 2), push(n / 2, n));
    format!(
        r#"(module
  (type $f (func (param {types}) (result {types}))) (type $k (cont $f))
  (type $g (func (param {rest}) (result {types}))) (type $l (cont $g))
  (tag $t (param {types}) (result {types}))
  (tag $e (param {types}))
  (elem declare func $body)
  (func $body (type $f) {params} (suspend $t))
  (func (export "resume") (param $x i64) (result i64)
    (local $k (ref null $k)) (local $sum i64) (local $y i64)
    (block $h (result {types} (ref $k))
      {all} (cont.new $k (ref.func $body))
      (resume $k (on $t $h))
      (unreachable))
    (local.set $k)
    (resume $k (local.get $k))
    {fold}
    (local.get $sum))
  (func (export "bind") (param $x i64) (result i64)
    (local $k (ref null $k)) (local $sum i64) (local $y i64)
    (block $h (result {types} (ref $k))
      {last}
      {first} (cont.new $k (ref.func $body)) (cont.bind $k $l)
      (resume $l (on $t $h))
      (unreachable))
    (local.set $k)
    {fold}
    (local.set $sum (i64.const 0))
    {last}
    {first} (local.get $k) (cont.bind $k $l)
    (resume $l)
    {fold}
    (local.get $sum))
  (func (export "throw") (param $x i64) (result i64)
    (local $k (ref null $k)) (local $sum i64) (local $y i64)
    (block $h (result {types} (ref $k))
      {all} (cont.new $k (ref.func $body))
      (resume $k (on $t $h))
      (unreachable))
    (local.set $k)
    {fold}
    (local.set $sum (i64.const 0))
    (block $h (result {types})
      (try_table (catch $e $h) {all} (local.get $k) (resume_throw $k $e) (unreachable))
      (unreachable))
    {fold}
    (local.get $sum)))
(assert_return (invoke "resume" (i64.const 1)) (i64.const {}))
(assert_return (invoke "bind" (i64.const 20)) (i64.const {}))
(assert_return (invoke "throw" (i64.const 300)) (i64.const {}))
"#,
        sum(1),
        sum(20),
        sum(300)
    )
}

#[test]
fn stacks_of_all_sizes_take_as_many_values_as_there_are() {
    let sizes: &[usize] = if cfg!(miri) {
        &[70]
    } else {
        &[
            1, 2, 3, 30, 31, 32, 61, 62, 63, 64, 65, 127, 128, 250, 511, 600, 999,
        ]
    };
    for n in sizes {
        let text = many_values(*n);
        for executor in [Executor::Threaded, Executor::Portable] {
            run(&format!("{n} values"), &text, executor, Way::Plain);
            run(&format!("{n} values"), &text, executor, Way::Stress);
        }
    }
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
            passed += run(&name, &text, executor, Way::Plain);
            passed += run(&name, &text, executor, Way::Stress);
        }
        passed += run(&name, &text, Executor::best(), Way::Snapshots);
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
