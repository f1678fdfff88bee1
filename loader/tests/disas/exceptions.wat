;; Exceptions: a try_table emits nothing; what catches stands behind the function's code.
(module
  (tag $e (param i32))
  (tag $f (param i64 i64))
  (func $call (param i32) (result i32) (local.get 0))
  ;; These two differ by their tables alone.
  (func $without (param i32) (result i32)
    (local $sum i32)
    (loop $next
      (block
        (local.set $sum (i32.add (local.get $sum) (call $call (local.get 0)))))
      (br_if $next (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get $sum))
  (func $with (param i32) (result i32)
    (local $sum i32)
    (loop $next
      (block $out
        (try_table (catch_all $out)
          (local.set $sum (i32.add (local.get $sum) (call $call (local.get 0))))))
      (br_if $next (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get $sum))
  (func $clauses (param i32) (result i32)
    (block $pair (result i64 i64)
      (block $ref (result i32 exnref)
        (try_table (catch_ref $e $ref) (catch $f $pair) (catch $e 2)
          (throw $e (local.get 0)))
        (unreachable))
      (throw_ref))
    (throw $f))
  (func $nothing_can_throw (param i32) (result i32)
    (block $h (try_table (catch_all $h) (local.set 0 (i32.const 5))))
    (local.get 0))
  (func $nested (param i32)
    (block $outer
      (loop $inner
        (try_table (catch_all $outer)
          (try_table (catch_all $inner)
            (drop (call $call (local.get 0))))
          (drop (call $call (local.get 0))))))))
;;= func 0 $call, 2 slots
;;=     ret_1 s0
;;= func 1 $without, 4 slots
;;=     const32 s1, 0
;;= @4:
;;=     copy s3, s0
;;=     call func 0, s3
;;=     i32_add s1, s1, s3
;;=     i32_inc_br_nez s0, -1, @4
;;=     ret_1 s1
;;= func 2 $with, 4 slots
;;=     const32 s1, 0
;;= @4:
;;=     copy s3, s0
;;=     call func 0, s3
;;=     i32_add s1, s1, s3
;;= @15:
;;=     i32_inc_br_nez s0, -1, @4
;;=     ret_1 s1
;;=     try_range 7, 11, 1
;;=     catch_all 0, s2, 0, @15
;;= func 3 $clauses, 3 slots
;;=     copy s1, s0
;;=     throw tag 0, s1, 1
;;= @8:
;;=     throw_ref s2
;;= @10:
;;=     throw tag 1, s1, 2
;;= @15:
;;=     ret_1 s1
;;=     try_range 3, 8, 3
;;=     catch tag 0, 1, s1, 2, @8
;;=     catch tag 1, 0, s1, 2, @10
;;=     catch tag 0, 0, s1, 1, @15
;;= func 4 $nothing_can_throw, 2 slots
;;=     const32 s0, 5
;;= @4:
;;=     ret_1 s0
;;= func 5 $nested, 2 slots
;;= @0:
;;=     copy s1, s0
;;=     call func 0, s1
;;=     copy s1, s0
;;=     call func 0, s1
;;= @14:
;;=     ret
;;=     try_range 3, 7, 1
;;=     catch_all 0, s1, 0, @0
;;=     try_range 3, 14, 1
;;=     catch_all 0, s1, 0, @14
