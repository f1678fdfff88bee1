//! Who runs over the end of a stack gets a fault, and the process ends: in a process of its own.

use std::process::Command;

use sheave_fiber::{
    BACKEND, Backend, Limited, NativeStack, call_on, call_on_watched, report_overflows,
};

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

#[test]
#[cfg_attr(not(unix), ignore = "there is no handler of faults on other systems")]
fn an_overflow_is_reported_by_name_where_that_was_asked_for() {
    let Some(kind) = std::env::var_os("SHEAVE_FIBER_REPORT") else {
        if cfg!(miri) || BACKEND == Backend::Disabled {
            return;
        }
        for kind in ["plain", "nested", "thread", "other"] {
            let program = std::env::current_exe().expect("this program");
            let output = Command::new(program)
                .args([
                    "--exact",
                    "an_overflow_is_reported_by_name_where_that_was_asked_for",
                    "--nocapture",
                ])
                .env("SHEAVE_FIBER_REPORT", kind)
                .output()
                .expect("a process");
            if output.status.code() == Some(127) {
                return;
            }
            let text = String::from_utf8_lossy(&output.stderr);
            let said = text.contains("stack overflow: the host function `env::deep`")
                && text.contains(" 65536 bytes");
            assert_eq!(said, kind != "other", "{kind}: {output:?}");
            assert!(!output.status.success(), "{output:?}");
            #[cfg(unix)]
            {
                use std::os::unix::process::ExitStatusExt;
                assert!(output.status.signal().is_some(), "{output:?}");
            }
        }
        return;
    };
    assert!(report_overflows());
    let deep = || {
        let mut stack = Limited::new(NativeStack::new(1 << 20).expect("memory"), 64 << 10);
        call_on_watched(&mut stack, "env::deep", |_| forever(0)).expect("a call")
    };
    let kind = kind.to_string_lossy().into_owned();
    let sum = match &*kind {
        "plain" => deep(),
        "nested" => {
            let mut stack = NativeStack::new(1 << 20).expect("memory");
            // What has ended is not named.
            call_on_watched(&mut stack, "env::quick", |_| ()).expect("a call");
            call_on_watched(&mut stack, "env::outer", |_| deep()).expect("a call")
        }
        "thread" => std::thread::spawn(deep).join().expect("a result"),
        // The thread's own stack is not the host function's.
        _ => {
            let mut stack = NativeStack::new(1 << 20).expect("memory");
            call_on_watched(&mut stack, "env::deep", |_| ()).expect("a call");
            std::thread::spawn(|| forever(0)).join().expect("a result")
        }
    };
    println!("came back with {sum}");
}
