//! How a command ends when it cannot do its work: one line on standard error, and an exit code.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Something that ends a command.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// Something is wrong with what a command was given to work on: exit code 1.
    pub(crate) fn new(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            code: 1,
        }
    }

    /// Something is wrong with the command line itself: exit code 2.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            code: 2,
        }
    }

    /// Something is wrong with this file.
    pub(crate) fn of(path: &Path, message: impl Display) -> Self {
        Self::new(format_args!("{}: {message}", path.display()))
    }

    /// This file could not be read or written.
    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or(&text);
        Self::of(path, text)
    }

    /// Prints it.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("sheave: {}", one_line(&self.message));
        ExitCode::from(self.code)
    }
}

/// The text without line breaks and the space around them.
pub(crate) fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}
