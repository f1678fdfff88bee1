//! Runs WebAssembly test scripts (`.wast`) on sheave: `sheave wast` and `tests/spec.rs` are thin shells over [`run`].
//!
//! Every file gets an engine and a store of its own. A script goes on after a failure, so that one bug costs one
//! failure and not the rest of its file. What counts is the assertions; a directive that is not one (a module, an
//! `invoke`) counts only when it fails.
#![forbid(unsafe_code)]

mod features;
mod forms;
mod script;
mod snapshots;
mod spectest;
mod value;

pub use features::{FeatureError, Features};
pub use sheave::Executor;

use core::fmt;
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};

/// How to run scripts.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which features are on. `None` suits a script of any version: the engine's defaults, except that a module
    /// may also be refused as the first or the second version of WebAssembly would, in the words of the script.
    pub features: Option<Features>,
    /// Which executor to use; `None` is the engine's default.
    pub executor: Option<Executor>,
    /// Whether every allocation collects garbage first.
    pub gc_stress: bool,
    /// Whether, after each directive that can change a store, the store is replaced by one that is restored from the bytes
    /// of its snapshot: at another address, on the other backend, with the other executor, in turn.
    pub snapshots: bool,
}

/// What became of one script.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Assertions that held.
    pub passed: usize,
    /// What went wrong, in the order of the script.
    pub failures: Vec<Failure>,
}

/// One directive that did not do what the script says.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Line of the directive, from 1.
    pub line: usize,
    /// What happened instead.
    pub message: String,
}

impl Report {
    /// Whether nothing went wrong.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failures.is_empty()
    }

    /// Notes what went wrong in a line, counted from 0.
    fn fail(&mut self, line: usize, message: String) {
        let line = line + 1;
        self.failures.push(Failure { line, message });
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// Runs one script, given as text.
#[must_use]
pub fn run(text: &str, options: &Options) -> Report {
    let mut report = Report::default();
    let mut runner = match script::Runner::new(options) {
        Ok(runner) => runner,
        Err(error) => {
            report.fail(0, format!("cannot set up: {error}"));
            return report;
        }
    };
    let forms = match cfg!(miri) {
        true => forms::forms(text),
        false => vec![(0, text)],
    };
    for (line, form) in forms {
        // A text of its own for Miri, not a part of another.
        let form = String::from(form);
        if !run_form(&form, line, options, &mut runner, &mut report) {
            break;
        }
    }
    report
}

/// Runs a part of a script, which begins in that line; false if the rest is not to be run.
fn run_form(
    text: &str,
    line: usize,
    options: &Options,
    runner: &mut script::Runner,
    report: &mut Report,
) -> bool {
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let parsed = ParseBuffer::new_with_lexer(lexer);
    let script = match &parsed {
        Ok(buffer) => parser::parse::<wast::Wast<'_>>(buffer),
        Err(error) => return unreadable(text, line, error, report),
    };
    match script {
        Ok(script) => runner.run(text, line, script, options, report),
        Err(error) => unreadable(text, line, &error, report),
    }
}

fn unreadable(text: &str, line: usize, error: &wast::Error, report: &mut Report) -> bool {
    let line = line + error.span().linecol_in(text).0;
    let message = error.message();
    report.fail(line, format!("cannot parse the script: {message}"));
    false
}
