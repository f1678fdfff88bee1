//! Chooses how fibers run: `fiber_asm`, `fiber_threads`, or neither (no fiber can be made).

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(fiber_asm, fiber_threads)");
    let var = |name: &str| env::var(name).unwrap_or_default();
    let target = var("TARGET");
    let arch = var("CARGO_CFG_TARGET_ARCH");
    let windows = var("CARGO_CFG_TARGET_OS") == "windows";
    let unix = var("CARGO_CFG_TARGET_FAMILY")
        .split(',')
        .any(|f| f == "unix");
    let has_asm = match arch.as_str() {
        "x86_64" => (unix || windows) && var("CARGO_CFG_TARGET_POINTER_WIDTH") == "64",
        "aarch64" => {
            unix && var("CARGO_CFG_TARGET_POINTER_WIDTH") == "64"
                && var("CARGO_CFG_TARGET_ENDIAN") == "little"
        }
        // The switch gives all float registers up, so the target must have them. Features do not tell in stable Rust.
        "riscv64" => {
            unix && ["riscv64gc", "riscv64a"]
                .iter()
                .any(|t| target.starts_with(t))
        }
        "x86" => unix,
        "arm" => unix && var("CARGO_CFG_TARGET_ABI") == "eabihf",
        _ => false,
    };
    let miri = env::var_os("CARGO_CFG_MIRI").is_some();
    let threads_only = env::var_os("CARGO_FEATURE_THREADS_ONLY").is_some();
    if has_asm && !miri && !threads_only {
        println!("cargo:rustc-cfg=fiber_asm");
    } else if (unix || windows || miri) && env::var_os("CARGO_FEATURE_THREADS").is_some() {
        println!("cargo:rustc-cfg=fiber_threads");
    }
}
