//! `sheave wast`: test scripts, a line each, and the sum.

use crate::args::WastArgs;
use crate::failure::{Failure, one_line};
use sheave_wast::Options;
use std::process::ExitCode;

pub(crate) fn main(args: &WastArgs) -> Result<ExitCode, Failure> {
    let executor = args.executor.map(Into::into);
    crate::load::check_executor(executor)?;
    let options = Options {
        features: args.features.clone(),
        executor,
        gc_stress: false,
        snapshots: false,
    };
    let (mut passed, mut failed, mut unread) = (0, 0, None);
    // A failure panics nowhere but in the engine's bugs; the runner reports those as failed assertions.
    std::panic::set_hook(Box::new(|_| {}));
    for path in &args.files {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let failure = Failure::io(path, &error);
                failure.report();
                unread = Some(failure);
                continue;
            }
        };
        let report = sheave_wast::run(&text, &options);
        let path = path.display();
        println!(
            "{path}: {} passed, {} failed",
            report.passed,
            report.failures.len()
        );
        for failure in &report.failures {
            eprintln!("{path}:{}: {}", failure.line, one_line(&failure.message));
        }
        passed += report.passed;
        failed += report.failures.len();
    }
    println!("{passed} passed, {failed} failed");
    let ok = failed == 0 && unread.is_none();
    Ok(if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
