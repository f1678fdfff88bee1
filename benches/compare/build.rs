//! Compiles wasm3 from the source in its package, where a C compiler can; sets `cfg(wasm3)` when it worked.

use std::{env, path::PathBuf, process::Command};

fn main() {
    println!("cargo::rustc-check-cfg=cfg(wasm3)");
    println!("cargo::rerun-if-changed=wasm3/shim.c");
    println!("cargo::rerun-if-changed=Cargo.lock");
    if env::var_os("CARGO_FEATURE_WASM3").is_none() {
        return;
    }
    match compile() {
        Ok(()) => println!("cargo::rustc-cfg=wasm3"),
        Err(why) => println!("cargo::warning=wasm3 is left out: {why}"),
    }
}

/// Asks cargo where the pinned package with wasm3's source is.
fn source() -> Result<PathBuf, String> {
    let output = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["metadata", "--format-version=1", "--features=wasm3-source"])
        .current_dir(env::var("CARGO_MANIFEST_DIR").map_err(|e| e.to_string())?)
        .output()
        .map_err(|e| format!("cargo metadata: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.split("\"manifest_path\":\"")
        .filter_map(|rest| rest.split('"').next())
        .find(|path| path.contains("wasm3-sys-"))
        .and_then(|path| PathBuf::from(path).parent().map(|dir| dir.join("wasm3/source")))
        .ok_or_else(|| format!("its package was not found: {}", String::from_utf8_lossy(&output.stderr)))
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
