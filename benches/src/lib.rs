//! What the criterion benches share: modules written in the text format, small enough to read, of known shape.
//!
//! `cargo bench -p sheave-benches` runs four groups: translate, instantiate, execute, call. The comparison with other
//! engines, on real programs, is the package in `benches/compare`.

use std::fmt::Write;

/// A module of `functions` functions of about 60 operators each: arithmetic, memory, a loop, a branch, a call.
#[must_use]
pub fn wide_module(functions: u32) -> String {
    let mut text = String::from(
        "(module (memory (export \"memory\") 1) (table 1 funcref) (global $g (mut i32) (i32.const 0))\n",
    );
    for i in 0..functions {
        let callee = (i + 1) % functions;
        let _ = write!(
            text,
            "(func $f{i} (export \"f{i}\") (param $a i32) (param $b i32) (result i32) (local $c i32) (local $d i64)
               (local.set $c (i32.and (local.get $a) (i32.const 1020)))
               (block $out
                 (loop $top
                   (br_if $out (i32.ge_u (local.get $c) (i32.const 1024)))
                   (i32.store offset={i} (local.get $c) (i32.add (i32.load offset={i} (local.get $c)) (local.get $b)))
                   (local.set $d (i64.add (local.get $d) (i64.extend_i32_u (local.get $c))))
                   (local.set $c (i32.add (local.get $c) (i32.const 4)))
                   (br $top)))
               (if (i32.eqz (local.get $a))
                 (then (global.set $g (i32.wrap_i64 (local.get $d))))
                 (else (local.set $b (i32.xor (local.get $b) (i32.shl (local.get $c) (i32.const 3))))))
               (if (result i32) (i32.lt_s (local.get $a) (i32.const 0))
                 (then (call $f{callee} (i32.const 0) (local.get $b)))
                 (else (i32.rotl (local.get $b) (i32.const 5)))))\n"
        );
    }
    text.push(')');
    text
}

/// A module with `pages` of memory, `bytes` of it from a data segment, and a table of `entries` functions.
#[must_use]
pub fn state_module(pages: u32, bytes: usize, entries: usize) -> String {
    format!(
        "(module (memory {pages}) (data (i32.const 0) \"{}\") (func $f) (table {entries} funcref) (elem (i32.const 0) {}))",
        "x".repeat(bytes),
        "$f ".repeat(entries)
    )
}

/// Kernels with one export `run(n) -> i32` each, by name.
pub const KERNELS: &[(&str, u32, &str)] = &[
    (
        "fib",
        20,
        r#"(module (func $fib (export "run") (param i32) (result i32)
             (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
               (then (local.get 0))
               (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#,
    ),
    (
        "sum",
        10_000,
        r#"(module (func (export "run") (param $n i32) (result i32) (local $sum i32)
             (loop $top
               (local.set $sum (i32.add (local.get $sum) (i32.mul (local.get $n) (local.get $n))))
               (br_if $top (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
             (local.get $sum)))"#,
    ),
    (
        "bytes",
        10_000,
        r#"(module (memory 1) (func (export "run") (param $n i32) (result i32) (local $i i32) (local $sum i32)
             (loop $top
               (i32.store8 offset=16 (local.get $i) (i32.add (i32.load8_u offset=15 (local.get $i)) (local.get $i)))
               (local.set $sum (i32.add (local.get $sum) (i32.load8_u offset=16 (local.get $i))))
               (br_if $top (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
             (local.get $sum)))"#,
    ),
    (
        "floats",
        10_000,
        r#"(module (func (export "run") (param $n i32) (result i32) (local $x f64) (local $y f64)
             (local.set $x (f64.const 0.5))
             (loop $top
               (local.set $y (f64.mul (f64.const 3.7) (f64.mul (local.get $x) (f64.sub (f64.const 1) (local.get $x)))))
               (local.set $x (f64.sqrt (f64.mul (local.get $y) (local.get $y))))
               (br_if $top (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
             (i32.trunc_f64_s (f64.mul (local.get $x) (f64.const 1000)))))"#,
    ),
    (
        "switch",
        10_000,
        r#"(module (func (export "run") (param $n i32) (result i32) (local $x i32)
             (loop $top
               (block $d (block $c (block $b (block $a
                 (br_table $a $b $c $d (i32.and (i32.add (local.get $n) (local.get $x)) (i32.const 3))))
                 (local.set $x (i32.add (local.get $x) (i32.const 7))) (br $d))
                 (local.set $x (i32.xor (local.get $x) (local.get $n))) (br $d))
                 (local.set $x (i32.rotl (local.get $x) (i32.const 3))))
               (br_if $top (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
             (local.get $x)))"#,
    ),
    (
        "indirect",
        10_000,
        r#"(module (type $t (func (param i32) (result i32))) (table 2 funcref) (elem (i32.const 0) $inc $twice)
             (func $inc (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
             (func $twice (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
             (func (export "run") (param $n i32) (result i32) (local $x i32)
               (loop $top
                 (local.set $x (call_indirect (type $t) (local.get $x) (i32.and (local.get $n) (i32.const 1))))
                 (br_if $top (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
               (local.get $x)))"#,
    ),
];
