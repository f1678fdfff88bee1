;; WebAssembly 3.0 in one page: structs that a collector frees, exceptions, tail calls, vectors.
;;
;;   cargo run --release -- run examples/trees.wat --invoke trees -- 14 200
;;
;; makes 200 trees of depth 14, one after the other, and gives the number of their nodes (6,553,400).
;; With --max-memory 64MiB too: a tree is gone when nobody holds it.
(module
  (type $tree (struct (field $left (ref null $tree)) (field $right (ref null $tree)) (field $tag v128)))
  (type $make (func (param i32) (result (ref $tree))))
  (tag $done (param i64))

  (func $make (type $make)
    (if (result (ref $tree)) (local.get 0)
      (then (struct.new $tree
        (call $make (i32.sub (local.get 0) (i32.const 1)))
        (call $make (i32.sub (local.get 0) (i32.const 1)))
        (i32x4.splat (i32.const 1))))
      (else (struct.new $tree (ref.null none) (ref.null none) (i32x4.splat (i32.const 1))))))

  ;; The number of nodes, counted in four lanes at once.
  (func $count (param $t (ref null $tree)) (result v128)
    (block $leaf
      (i32x4.add
        (struct.get $tree $tag (br_on_null $leaf (local.get $t)))
        (i32x4.add
          (call $count (struct.get $tree $left (local.get $t)))
          (call $count (struct.get $tree $right (local.get $t)))))
      (return))
    (v128.const i32x4 0 0 0 0))

  ;; Never returns: the result is thrown.
  (func $sum (param $depth i32) (param $n i32) (param $total i64)
    (if (i32.eqz (local.get $n)) (then (throw $done (local.get $total))))
    (return_call $sum
      (local.get $depth)
      (i32.sub (local.get $n) (i32.const 1))
      (i64.add (local.get $total)
        (i64.extend_i32_u (i32x4.extract_lane 3 (call $count (call_ref $make (local.get $depth) (ref.func $make))))))))
  (elem declare func $make)

  (func (export "trees") (param $depth i32) (param $n i32) (result i64)
    (block $caught (result i64)
      (try_table (catch $done $caught)
        (call $sum (local.get $depth) (local.get $n) (i64.const 0)))
      (unreachable))))
