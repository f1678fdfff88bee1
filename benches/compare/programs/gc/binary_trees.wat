;; The benchmarks game's binary-trees: many trees of all depths up to `n`, made and dropped, while one of depth `n` stays.
(module
  (type $node (struct (field (ref null $node)) (field (ref null $node))))
  (global $long (mut (ref null $node)) (ref.null $node))

  (func $make (param $depth i32) (result (ref $node))
    (if (result (ref $node)) (local.get $depth)
      (then (struct.new $node
        (call $make (i32.sub (local.get $depth) (i32.const 1)))
        (call $make (i32.sub (local.get $depth) (i32.const 1)))))
      (else (struct.new_default $node))))

  (func $check (param $node (ref $node)) (result i32)
    (local $left (ref null $node))
    (local.set $left (struct.get $node 0 (local.get $node)))
    (if (result i32) (ref.is_null (local.get $left))
      (then (i32.const 1))
      (else (i32.add
        (i32.add (i32.const 1) (call $check (ref.as_non_null (local.get $left))))
        (call $check (ref.as_non_null (struct.get $node 1 (local.get $node))))))))

  ;; The nodes made, which is also how many allocations it was.
  (func (export "run") (param $n i32) (result i64)
    (local $depth i32) (local $times i32) (local $sum i64)
    (local.set $sum (i64.extend_i32_u (call $check (call $make (i32.add (local.get $n) (i32.const 1))))))
    (global.set $long (call $make (local.get $n)))
    (local.set $depth (i32.const 4))
    (loop $depths
      (local.set $times (i32.shl (i32.const 1) (i32.sub (i32.add (local.get $n) (i32.const 4)) (local.get $depth))))
      (loop $trees
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (call $check (call $make (local.get $depth))))))
        (br_if $trees (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
      (br_if $depths (i32.le_u (local.tee $depth (i32.add (local.get $depth) (i32.const 2))) (local.get $n))))
    (local.set $sum (i64.add (local.get $sum)
      (i64.extend_i32_u (call $check (ref.as_non_null (global.get $long))))))
    (global.set $long (ref.null $node))
    (local.get $sum))

  ;; A tree that stays, for a look at pauses.
  (func (export "keep") (param $depth i32)
    (global.set $long (call $make (local.get $depth)))))
