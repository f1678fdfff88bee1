;; A linked structure under change: 65536 chains of records; each step prepends a record to one of them, looks for an
;; older one, and cuts the chain behind the eighth. Live: up to half a million records, scattered.
(module
  (type $record (struct (field $key i32) (field $value i64) (field $next (mut (ref null $record)))))
  (type $heads (array (mut (ref null $record))))
  (global $heads (mut (ref null $heads)) (ref.null $heads))

  (func (export "run") (param $n i32) (result i64)
    (local $i i32) (local $hash i32) (local $depth i32) (local $found i64)
    (local $heads (ref $heads)) (local $at (ref null $record))
    (local.set $heads (array.new_default $heads (i32.const 65536)))
    (global.set $heads (local.get $heads))
    (local.set $n (i32.mul (local.get $n) (i32.const 1000)))
    (loop $steps
      (local.set $hash (i32.shr_u (i32.mul (local.get $i) (i32.const 0x9e3779b1)) (i32.const 16)))
      (array.set $heads (local.get $heads) (local.get $hash)
        (local.tee $at (struct.new $record (local.get $i) (i64.extend_i32_u (local.get $hash))
          (array.get $heads (local.get $heads) (local.get $hash)))))
      (local.set $depth (i32.const 8))
      (block $done
        (loop $walk
          (br_if $done (ref.is_null (local.get $at)))
          (local.set $found (i64.add (local.get $found) (struct.get $record $value (local.get $at))))
          (if (i32.eqz (local.tee $depth (i32.sub (local.get $depth) (i32.const 1))))
            (then
              (struct.set $record $next (local.get $at) (ref.null $record))
              (br $done)))
          (local.set $at (struct.get $record $next (local.get $at)))
          (br $walk)))
      (br_if $steps (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (global.set $heads (ref.null $heads))
    (i64.extend_i32_u (local.get $n)))

  (func (export "keep") (param i32)))
