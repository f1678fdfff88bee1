//! A WebAssembly toolchain at work: parse the text format, encode it, validate the result.
common::export!(program);

fn program(n: u32) -> u64 {
    let mut source = String::from("(module (memory 1) (table 10 funcref)\n");
    for i in 0..40 {
        source.push_str(&format!(
            "(func $f{i} (export \"f{i}\") (param $a i32) (param $b i64) (result i32) (local $c f64)
               (block $out (loop $top
                 (br_if $out (i32.ge_s (local.get $a) (i32.const {i})))
                 (local.set $c (f64.add (f64.convert_i32_s (local.get $a)) (f64.const {i}.25)))
                 (i32.store offset={i} (i32.const 8) (i32.trunc_f64_s (local.get $c)))
                 (local.set $a (i32.add (local.get $a) (call $f{} (local.get $a) (i64.const {i}))))
                 (br $top)))
               (i32.load8_u (i32.wrap_i64 (local.get $b))))\n",
            (i + 7) % 40
        ));
    }
    source.push(')');
    let mut sum = 0;
    for _ in 0..n {
        let binary = wat::parse_str(&source).unwrap();
        wasmparser::Validator::new().validate_all(&binary).unwrap();
        sum = common::mix_bytes(sum, &binary);
    }
    sum
}
