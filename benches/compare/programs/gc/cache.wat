;; A cache of texts of mixed lengths that lives as long as the store: each step replaces one of 32768 entries, chosen at
;; random, by one of random length, mostly short, now and then longer than a block of the heap. An entry says by its bytes
;; where it belongs, which is looked at when it is replaced. Entries die in no order, so holes of all sizes come about.
(module
  (type $bytes (array (mut i8)))
  (type $entry (struct (field $key i32) (field $text (ref $bytes)) (field $other (mut (ref null $entry)))))
  (type $entries (array (mut (ref null $entry))))
  (global $entries (mut (ref null $entries)) (ref.null $entries))
  (global $seed (mut i64) (i64.const 88172645463325252))

  (func $random (result i32)
    (global.set $seed (i64.xor (global.get $seed) (i64.shl (global.get $seed) (i64.const 13))))
    (global.set $seed (i64.xor (global.get $seed) (i64.shr_u (global.get $seed) (i64.const 7))))
    (global.set $seed (i64.xor (global.get $seed) (i64.shl (global.get $seed) (i64.const 17))))
    (i32.wrap_i64 (i64.shr_u (global.get $seed) (i64.const 32))))

  ;; Up to 63 bytes, up to 1 KiB for one in 16, up to 64 KiB for one in 4096.
  (func $length (result i32)
    (local $x i32)
    (local.set $x (call $random))
    (if (i32.eqz (i32.and (local.get $x) (i32.const 0xfff)))
      (then (return (i32.shr_u (local.get $x) (i32.const 16)))))
    (if (i32.eqz (i32.and (local.get $x) (i32.const 0xf)))
      (then (return (i32.shr_u (local.get $x) (i32.const 22)))))
    (i32.shr_u (local.get $x) (i32.const 26)))

  ;; Traps if the entry is not what was made for `key`.
  (func $check (param $e (ref $entry)) (param $key i32)
    (local $text (ref $bytes)) (local $i i32)
    (local.set $text (struct.get $entry $text (local.get $e)))
    (if (i32.ne (struct.get $entry $key (local.get $e)) (local.get $key)) (then (unreachable)))
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $i) (array.len (local.get $text))))
        (if (i32.ne (array.get_u $bytes (local.get $text) (local.get $i)) (i32.and (local.get $key) (i32.const 0xff)))
          (then (unreachable)))
        (local.set $i (i32.add (local.get $i) (i32.const 7)))
        (br $each))))

  ;; `n` thousand steps; two objects a step.
  (func (export "run") (param $n i32) (result i64)
    (local $i i32) (local $key i32) (local $old (ref null $entry)) (local $other (ref null $entry)) (local $entries (ref $entries))
    (if (ref.is_null (global.get $entries))
      (then (global.set $entries (array.new_default $entries (i32.const 32768)))))
    (local.set $entries (ref.as_non_null (global.get $entries)))
    (local.set $n (i32.mul (local.get $n) (i32.const 1000)))
    (loop $steps
      (local.set $key (i32.and (call $random) (i32.const 32767)))
      (local.set $old (array.get $entries (local.get $entries) (local.get $key)))
      (if (i32.eqz (ref.is_null (local.get $old)))
        (then (call $check (ref.as_non_null (local.get $old)) (local.get $key))))
      ;; Each leads to another one, and that may lead back. A dead one is not kept by that for long: what it led to is cut.
      (local.set $other (array.get $entries (local.get $entries) (i32.and (call $random) (i32.const 32767))))
      (if (i32.eqz (ref.is_null (local.get $other)))
        (then (struct.set $entry $other (local.get $other) (ref.null $entry))))
      (array.set $entries (local.get $entries) (local.get $key)
        (struct.new $entry (local.get $key)
          (array.new $bytes (i32.and (local.get $key) (i32.const 0xff)) (call $length))
          (local.get $other)))
      (if (i32.eqz (ref.is_null (local.get $other)))
        (then (struct.set $entry $other (local.get $other)
          (array.get $entries (local.get $entries) (local.get $key)))))
      (br_if $steps (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i64.extend_i32_u (i32.shl (local.get $n) (i32.const 1))))

  (func (export "keep") (param i32)))
