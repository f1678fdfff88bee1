//! Who runs over the end of a stack gets a fault, and the process ends: in a process of its own.

use std::process::Command;

use sheave_fiber::{BACKEND, Backend, Limited, NativeStack, call_on};

#[allow(unconditional_recursion, reason = "that is what is tested")]
fn forever(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 100]);
    forever(depth + 1) + frame[3]
}

#[test]
fn an_overflow_ends_in_a_fault_at_the_guard() {
    let Some(size) = std::env::var_os("SHEAVE_FIBER_OVERFLOW") else {
        if cfg!(miri) || BACKEND != Backend::Assembly {
            return;
        }
        for size in ["whole", "limited"] {
            let program = std::env::current_exe().expect("this program");
            let output = Command::new(program)
                .args([
                    "--exact",
                    "an_overflow_ends_in_a_fault_at_the_guard",
                    "--nocapture",
                ])
                .env("SHEAVE_FIBER_OVERFLOW", size)
                .output()
                .expect("a process");
            if output.status.code() == Some(127) {
                // Nothing here runs programs of this architecture but an emulator that was called by name.
                return;
            }
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                text.contains("going down") && !text.contains("came back"),
                "{output:?}"
            );
            // Windows has no stack left to say anything on.
            #[cfg(unix)]
            {
                use std::os::unix::process::ExitStatusExt;
                let signals = [Some(libc::SIGSEGV), Some(libc::SIGBUS)];
                assert!(signals.contains(&output.status.signal()), "{output:?}");
            }
        }
        return;
    };
    println!("going down");
    let stack = NativeStack::new(1 << 20).expect("memory");
    let len = if size == "limited" { 32 << 10 } else { 1 << 20 };
    let sum = call_on(&mut Limited::new(stack, len), |_| forever(0)).expect("a call");
    println!("came back with {sum}");
}
