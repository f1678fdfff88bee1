;; Arguments are made where the callee wants them; results are left where they are.
(module
  (type $t (func (param i32 i32 i32) (result i32)))
  (import "m" "f" (func $f (param i32 i32 i32) (result i32)))
  (import "m" "g" (global $ig (mut i64)))
  (global $g (mut i32) (i32.const 0))
  (table 10 funcref)
  (func $fib (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else
        (i32.add
          (call $fib (i32.sub (local.get 0) (i32.const 1)))
          (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func $arguments (param i32 i32 i32) (result i32)
    (call $f (local.get 0) (local.get 1) (local.get 2))
    (call $f (i32.const 1) (local.get 1))
    (drop (call $f (local.get 0) (local.get 0) (local.get 0))))
  (func $indirect (param i32 i32) (result i32)
    (call_indirect (type $t) (local.get 0) (i32.const 2) (local.get 1)
      (i32.load8_u (local.get 1))))
  (memory 1)
  (func $tail (param i32 i32) (result i32)
    (return_call $f (local.get 1) (local.get 0) (i32.const 3)))
  (func $tail_indirect (param i32 i32) (result i32)
    (return_call_indirect (type $t) (local.get 1) (local.get 0) (i32.const 3) (local.get 1)))
  (func $globals (param i64) (result i32)
    (global.set $ig (i64.add (global.get $ig) (local.get 0)))
    (global.set $g (i32.const 4))
    (global.get $g))
  (func $frame (result i32) (local $sp i32)
    (global.set $g (local.tee $sp (i32.sub (global.get $g) (i32.const 32))))
    (global.set $g (i32.add (local.get $sp) (i32.const 32)))
    (global.set $g (i32.add (global.get $g) (i32.const 1)))
    (local.get $sp))
  (func $references (param i32) (result i32)
    (table.set (local.get 0) (ref.func $globals))
    (ref.is_null (table.get (local.get 0))))
  (elem declare func $globals)
)
;;= func 1 $fib, 4 slots
;;=     br_i32_ge_s_imm s0, 2, @11
;;=     copy_br s1, s0, @33
;;= @11:
;;=     i32_add_imm s1, s0, -1
;;=     call func 0, s1
;;=     i32_add_imm s2, s0, -2
;;=     call func 0, s2
;;=     i32_add s1, s1, s2
;;= @33:
;;=     ret_1 s1
;;= func 2 $arguments, 7 slots
;;=     copy_n s3, s0, 3
;;=     call_import import 0, s3
;;=     const32 s4, 1
;;=     copy s5, s1
;;=     call_import import 0, s3
;;=     copy2 s4, s0, s5, s0
;;=     copy s6, s0
;;=     call_import import 0, s4
;;=     ret_1 s3
;;= func 3 $indirect, 6 slots
;;=     copy s2, s0
;;=     const32 s3, 2
;;=     copy s4, s1
;;=     i32_load8_u s5, s1, 0
;;=     call_indirect s5, ty 0, table 0, s2
;;=     ret_1 s2
;;= func 4 $tail, 5 slots
;;=     copy2 s2, s1, s3, s0
;;=     const32 s4, 3
;;=     return_call_import import 0, s2, 3
;;= func 5 $tail_indirect, 6 slots
;;=     copy2 s2, s1, s3, s0
;;=     const32 s4, 3
;;=     return_call_indirect s1, ty 0, table 0, s2, 3
;;= func 6 $globals, 3 slots
;;=     global_get_import s1, global 0
;;=     i64_add s1, s1, s0
;;=     global_set_import s1, global 0
;;=     const32 s1, 4
;;=     global_set s1, global 0
;;=     global_get s1, global 0
;;=     ret_1 s1
;;= func 7 $frame, 3 slots
;;=     i32_global_add_imm s0, global 0, -32
;;=     i32_global_set_add s0, 32, global 0
;;=     i32_global_add_imm s1, global 0, 1
;;=     ret_1 s0
;;= func 8 $references, 3 slots
;;=     ref_func s2, 6
;;=     table_set s0, s2, table 0
;;=     table_get s1, s0, table 0
;;=     i64_eqz s1, s1
;;=     ret_1 s1
