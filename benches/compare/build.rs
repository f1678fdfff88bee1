//! Compiles wasm3 from the source in its package, where a C compiler can; sets `cfg(wasm3)` when it worked.

use std::{env, path::PathBuf, process::Command};

fn main() {
    println!("cargo::rustc-check-cfg=cfg(wasm3)");
    println!("cargo::rerun-if-changed=wasm3/shim.c");
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_WASM3").is_none() {
        return;
    }
    match compile() {
        Ok(()) => println!("cargo::rustc-cfg=wasm3"),
        Err(why) => println!("cargo::warning=wasm3 is left out: {why}"),
    }
}

/// The source: where `WASM3_SOURCE` says, or from the package that has it, unpacked beside our build.
fn source() -> Result<PathBuf, String> {
    println!("cargo::rerun-if-env-changed=WASM3_SOURCE");
    if let Some(path) = env::var_os("WASM3_SOURCE") {
        return Ok(path.into());
    }
    let dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    let unpacked = dir.join("pywasm3-0.5.0");
    if !unpacked.exists() {
        run(Command::new("python3").args(["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "pywasm3==0.5.0", "--dest"]).arg(&dir))?;
        run(Command::new("tar").arg("-xzf").arg(dir.join("pywasm3-0.5.0.tar.gz")).arg("-C").arg(&dir))?;
    }
    Ok(unpacked.join("wasm3"))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}", said.lines().last().unwrap_or_default()))
}

fn compile() -> Result<(), String> {
    let source = source()?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(&source)
        .map_err(|e| format!("{}: {e}", source.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "c"))
        .collect();
    files.sort();
    let mut build = cc::Build::new();
    // Its operations must become jumps, which it is written for with clang.
    if Command::new("clang").arg("--version").output().is_ok() {
        build.compiler("clang");
    }
    build
        .files(files)
        .file("wasm3/shim.c")
        .include(&source)
        .define("d_m3LogOutput", "0")
        .define("d_m3MaxFunctionStackHeight", "8000")
        .define("d_m3MaxFunctionSlots", "16000")
        .opt_level(3)
        .debug(false)
        .flag_if_supported("-fomit-frame-pointer")
        .flag_if_supported("-fno-stack-check")
        .flag_if_supported("-fno-stack-protector")
        .flag_if_supported("-fno-strict-aliasing")
        .warnings(false)
        .extra_warnings(false)
        .try_compile("wasm3")
        .map_err(|e| e.to_string())
}
