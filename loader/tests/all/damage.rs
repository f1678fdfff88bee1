//! Damaged modules and images give errors, or work; they never panic.

use proptest::prelude::*;
use sheave_loader::{Module, Options};

const SOURCES: [&str; 5] = [
    r#"(module (import "e" "f" (func (param i32 i64) (result f32 f64))) (table 2 funcref)
         (memory 1) (global (mut i32) (i32.const 3)) (elem (i32.const 0) 0 1)
         (data (i32.const 1) "abc") (export "g" (func 1))
         (func $g (param i32) (result i32) (local i64 f64)
           (block $b (result i32)
             (br_if $b (i32.const 1) (local.get 0))
             (drop)
             (loop $l
               (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
               (br_if $l (i32.gt_s (local.get 0) (i32.const 10))))
             (global.set 0 (i32.load8_u offset=3 (local.get 0)))
             (call_indirect (type 0) (i32.const 1) (local.get 1) (local.get 0))
             (local.set 2)
             (drop)
             (f64.store (i32.const 8) (local.get 2))
             (i32.const 9))))"#,
    "(module (func (param i32) (result i32)
       (block (block (block (br_table 0 1 2 (local.get 0))) (return (i32.const 1)))
         (return (select (local.get 0) (i32.const 2) (i32.eqz (local.get 0)))))
       (if (result i32) (local.get 0) (then (i32.const 4)) (else (i32.const 5)))))",
    "(module (memory 1) (table 1 externref)
       (func (param i32 i32 i32 externref)
         (memory.copy (local.get 0) (local.get 1) (local.get 2))
         (table.set (i32.const 0) (local.get 3))
         (drop (table.grow (ref.null extern) (memory.grow (i32.const 1))))
         (return_call 0 (local.get 2) (local.get 1) (local.get 0) (table.get (i32.const 0)))))",
    "(module (tag (import \"m\" \"e\") (param i32)) (tag $f) (export \"f\" (tag 1))
       (func $g (param i32) (throw 0 (local.get 0)))
       (func (param i32) (result i32)
         (block $h (result i32)
           (block $n
           (try_table (catch $f $n) (catch 0 1)
             (block $r (result exnref)
               (try_table (catch_all_ref $r) (call $g (local.get 0)) (throw $f))
               (unreachable))
             (throw_ref)))
           (i32.const 7))))",
    r#"(module
       (rec (type $s (sub (struct (field i8) (field (mut (ref null $s))) (field v128))))
         (type $t (sub $s (struct (field i8) (field (mut (ref null $s))) (field v128) (field f64)))))
       (type $a (array (mut (ref null $s)))) (type $f (func (param (ref null $s)) (result i32)))
       (global $g (ref $a) (array.new_fixed $a 2 (struct.new_default $t) (ref.null $s)))
       (elem $e (ref null $s) (item (struct.new_default $s))) (data $d "abcd")
       (func (type $f) (local $n (ref $s)) (local $m (ref null $t))
         (block $null
           (local.set $n (br_on_null $null (local.get 0)))
           (struct.set $s 1 (local.get $n) (struct.new_default $t))
           (array.set $a (global.get $g) (i32.const 1) (local.get $n))
           (drop (array.new_elem $a $e (i32.const 0) (i32.const 1)))
           (return (struct.get_s $s 0 (block $t (result (ref $t))
             (br_on_cast $t (ref $s) (ref $t) (local.get $n)) (drop)
             (ref.as_non_null (local.get $m))))))
         (return_call_ref $f (local.get $m) (ref.null $f))))"#,
];

/// Does everything that can be done with a module.
fn use_all(module: &Module) {
    for func in 0..module.info().n_defined_funcs() {
        let _ = module.code(func);
        let _ = module.positions(func);
        let _ = module.ref_maps(func);
        let _ = module.func_name(func);
    }
    for segment in 0..module.info().data.len() {
        let _ = module.data(segment as u32);
    }
    let _ = module.module_name();
}

fn damage(bytes: &mut Vec<u8>, flips: &[(prop::sample::Index, u8)], keep: prop::sample::Index) {
    for (at, mask) in flips {
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
    }
    if flips.is_empty() {
        bytes.truncate(keep.index(bytes.len() + 1));
    }
}

fn config() -> ProptestConfig {
    let cases = if cfg!(miri) { 8 } else { 2000 };
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn modules(
        source in 0..SOURCES.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 0..4),
        keep in any::<prop::sample::Index>(),
        lazy_translation: bool,
        lazy_validation: bool,
    ) {
        let mut bytes = wat::parse_str(SOURCES[source]).expect("well-formed");
        damage(&mut bytes, &flips, keep);
        let options = Options { lazy_translation, lazy_validation, ..Options::default() };
        if let Ok(module) = Module::new(bytes.clone(), &options) {
            use_all(&module);
            if !lazy_validation {
                crate::verify::verify_all(&bytes, &options);
            }
        }
    }

    #[test]
    fn images(
        source in 0..SOURCES.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 0..4),
        keep in any::<prop::sample::Index>(),
    ) {
        let bytes = wat::parse_str(SOURCES[source]).expect("well-formed");
        let module = Module::new(bytes, &Options::default()).expect("valid");
        let mut image = module.to_image().expect("small enough");
        damage(&mut image, &flips, keep);
        if let Ok(module) = Module::from_image(image, &Options::default()) {
            use_all(&module);
        }
    }

    /// As an attacker would, who makes the checksums right again.
    #[test]
    fn images_with_right_checksums(
        source in 0..SOURCES.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
        keep in any::<prop::sample::Index>(),
    ) {
        let bytes = wat::parse_str(SOURCES[source]).expect("well-formed");
        let module = Module::new(bytes, &Options::default()).expect("valid");
        let mut image = module.to_image().expect("small enough");
        damage(&mut image, &flips, keep);
        repair(&mut image);
        if let Ok(module) = Module::from_image(image, &Options::default()) {
            use_all(&module);
        }
    }
}

/// Makes the checksums of header, index and bytecode right (see `docs/image-format.md`).
fn repair(image: &mut [u8]) {
    let word = |image: &[u8], at: usize| {
        u64::from_le_bytes(*image[at..].first_chunk().expect("a header")) as usize
    };
    let part = |image: &[u8], at: usize| {
        let (start, len) = (word(image, at), word(image, at + 8));
        let end = start.saturating_add(len);
        image.get(start..end).map(<[u8]>::len).map(|_| start..end)
    };
    if image.len() < 160 {
        return;
    }
    if let (Some(index), Some(code)) = (part(image, 48), part(image, 64)) {
        for at in index.clone().step_by(24) {
            if at + 24 > index.end {
                break;
            }
            let field = |i: usize| {
                u32::from_le_bytes(*image[at + 4 * i..].first_chunk().expect("an entry")) as usize
            };
            let start = code.start + 2 * field(0);
            if let Some(bytes) = image.get(start..start + 2 * field(1)) {
                let crc = crc32(bytes);
                image[at + 12..at + 16].copy_from_slice(&crc.to_le_bytes());
            }
        }
        let crc = crc32(&image[index]);
        image[96..100].copy_from_slice(&crc.to_le_bytes());
    }
    let crc = crc32(&image[..156]);
    image[156..160].copy_from_slice(&crc.to_le_bytes());
}

/// CRC-32 by its definition.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
