//! The programs: what they are, and how much work makes a run of a fraction of a second in an interpreter.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A benchmark program.
pub struct Program {
    /// Its name, and its file's.
    pub name: &'static str,
    /// What kind of program it is.
    pub kind: &'static str,
    /// The argument of `run` for a full measurement.
    pub n: u32,
    /// The same for `--quick`.
    pub quick: u32,
}

const fn p(name: &'static str, kind: &'static str, n: u32, quick: u32) -> Program {
    Program { name, kind, n, quick }
}

/// All programs, by kind.
pub const ALL: &[Program] = &[
    p("coremark", "mixed", 230, 46),
    p("brotli", "compression", 270, 54),
    p("bzip2", "compression", 170, 34),
    p("deflate", "compression", 260, 52),
    p("lz4", "compression", 70, 14),
    p("zlib", "compression", 440, 88),
    p("zstd", "compression", 810, 160),
    p("blake3", "hashing", 99, 20),
    p("crc32", "hashing", 270, 54),
    p("keccak", "hashing", 180, 36),
    p("sha256", "hashing", 45, 9),
    p("sha512", "hashing", 64, 13),
    p("aes", "cryptography", 280, 56),
    p("chacha20", "cryptography", 250, 50),
    p("ed25519", "cryptography", 37, 7),
    p("scrypt", "cryptography", 5, 1),
    p("x25519", "cryptography", 110, 22),
    p("json", "parsing", 36, 7),
    p("lexer", "parsing", 170, 34),
    p("markdown", "parsing", 130, 26),
    p("treesitter", "parsing", 46, 9),
    p("wat", "parsing", 14, 3),
    p("regex", "text", 7, 1),
    p("regex_backtrack", "text", 29, 6),
    p("strings", "text", 78, 16),
    p("levenshtein", "text", 1300, 260),
    p("float_text", "text", 1600, 320),
    p("brainf", "interpreter", 37, 7),
    p("lua", "interpreter", 540, 110),
    p("quickjs", "interpreter", 190, 38),
    p("rhai", "interpreter", 280, 56),
    p("vm", "interpreter", 3800, 760),
    p("sqlite", "database", 400, 80),
    p("btree", "data", 1300, 260),
    p("dijkstra", "data", 1100, 220),
    p("hashmap", "data", 54, 11),
    p("sort", "data", 79, 16),
    p("alloc", "allocation", 3800, 760),
    p("binary_trees", "allocation", 16, 13),
    p("memory", "allocation", 12000, 2400),
    p("ackermann", "calls", 250, 60),
    p("fib", "calls", 32, 27),
    p("queens", "calls", 13, 12),
    p("indirect", "indirect calls", 4600, 920),
    p("raytrace", "indirect calls", 210, 94),
    p("richards", "indirect calls", 2600, 520),
    p("imaging", "images", 530, 240),
    p("jpeg", "images", 530, 240),
    p("png", "images", 420, 190),
    p("svg", "images", 37, 7),
    p("webp", "images", 95, 42),
    p("fft", "floats", 59, 12),
    p("lu", "floats", 330, 190),
    p("mandelbrot", "floats", 470, 210),
    p("matmul", "floats", 250, 150),
    p("nbody", "floats", 1600, 320),
    p("spectralnorm", "floats", 840, 380),
    p("synth", "floats", 8100, 1600),
    p("fannkuch", "integers", 9, 8),
    p("life", "integers", 190, 38),
    p("matmul_i32", "integers", 15, 9),
    p("pidigits", "integers", 4000, 1800),
    p("sieve", "integers", 7800, 1600),
];

/// Programs that use vectors, with the feature `simd`.
pub const VECTORS: &[Program] = &[
    p("simd_blake3", "vectors", 240, 48),
    p("simd_blur", "vectors", 120, 24),
    p("simd_gemm", "vectors", 80, 16),
    p("simd_hex", "vectors", 1600, 320),
    p("simd_mandelbrot", "vectors", 3000, 1300),
    p("simd_memchr", "vectors", 240, 48),
];

/// Where the built programs are: beside this package, in its ignored `target`.
pub fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/programs")
}

/// Builds the programs with their script if any of them is missing.
pub fn build_if_missing(wanted: &[&Program]) {
    let marker = dir().join("built");
    if marker.exists() || wanted.iter().all(|program| dir().join(format!("{}.wasm", program.name)).exists()) {
        return;
    }
    eprintln!("building the programs (once; some minutes)…");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/build.sh");
    match Command::new("bash").arg(script).arg(dir()).status() {
        Ok(status) if status.success() => drop(std::fs::write(marker, "")),
        Ok(status) => eprintln!("the build script ended with {status}"),
        Err(error) => eprintln!("the build script did not start: {error}"),
    }
}
