//! How a guest that calls `proc_exit` ends.

use core::fmt;

/// The error that a call into a guest returns when the guest has called
/// `proc_exit`, with its exit code. 0 is a success all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct I32Exit(pub i32);

impl I32Exit {
    /// The exit code as a process has it: the low byte, as on Unix.
    pub fn process_exit_code(self) -> u8 {
        self.0.to_le_bytes()[0]
    }
}

impl fmt::Display for I32Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exited with i32 exit status {}", self.0)
    }
}

impl std::error::Error for I32Exit {}
