//! What was wrong once, or nearly: files in the suite's own format, on both executors.

use sheave_wast::{Executor, Options};

#[test]
fn what_was_wrong_once_is_right() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/regress");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of the files")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a text");
        for executor in [Executor::Threaded, Executor::Portable] {
            if executor.available() {
                let options = Options {
                    features: None,
                    executor: Some(executor),
                    gc_stress: false,
                    snapshots: false,
                };
                let report = sheave_wast::run(&text, &options);
                assert!(
                    report.failures.is_empty() && report.passed > 0,
                    "{} on {executor:?}: {:#?}",
                    file.display(),
                    report.failures
                );
            }
        }
    }
}
