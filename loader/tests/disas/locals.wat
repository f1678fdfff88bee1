;; Locals stay on the stack until they change; results go straight to locals.
(module
  (func $increment_after_use (param i32) (result i32)
    local.get 0
    (local.set 0 (i32.add (local.get 0) (i32.const 1)))
    (i32.mul (local.get 0)))
  (func $two_increments (param i32 i32)
    (local.set 0 (i32.add (local.get 0) (i32.const 4)))
    (local.set 1 (i32.sub (local.get 1) (i32.const 1))))
  (func $swap (param i32 i32) (result i32)
    local.get 0
    local.get 1
    local.set 0
    local.set 1
    (i32.sub (local.get 0) (local.get 1)))
  (func $tee (param i32 i32) (result i32)
    (i32.mul (local.tee 1 (i32.xor (local.get 0) (local.get 1))) (local.get 1)))
  (func $zeroed_if_read_first (param i32) (result i32) (local $a i32) (local $b i32) (local $c i32)
    (local.set $a (i32.const 7))
    (if (local.get 0) (then (local.set $b (i32.const 8))))
    (i32.add (local.get $a) (local.get $b)))
  (func $references_that_nobody_reads_are_not_zeroed (param funcref) (local externref)
    nop)
  (func $settled_before_a_block (param i32) (result i32)
    local.get 0
    (block (br_if 0 (local.get 0)) (local.set 0 (i32.const 3)))
    (i32.add (local.get 0)))
)
;;= func 0 $increment_after_use, 4 slots
;;=     copy s1, s0
;;=     i32_add_imm s0, s0, 1
;;=     i32_mul s1, s1, s0
;;=     ret_1 s1
;;= func 1 $two_increments, 4 slots
;;=     i32_inc2 s0, 4, s1, -1
;;=     ret
;;= func 2 $swap, 4 slots
;;=     copy2 s2, s0, s0, s1
;;=     copy s1, s2
;;=     i32_sub s2, s0, s1
;;=     ret_1 s2
;;= func 3 $tee, 4 slots
;;=     i32_xor s1, s0, s1
;;=     i32_mul s2, s1, s1
;;=     ret_1 s2
;;= func 4 $zeroed_if_read_first, 6 slots
;;=     const32 s2, 0
;;=     const32 s1, 7
;;=     br_eqz s0, @16
;;=     const32 s2, 8
;;= @16:
;;=     i32_add s4, s1, s2
;;=     ret_1 s4
;;= func 5 $references_that_nobody_reads_are_not_zeroed, 2 slots
;;=     ret
;;= func 6 $settled_before_a_block, 3 slots
;;=     copy s1, s0
;;=     br_nez s0, @11
;;=     const32 s0, 3
;;= @11:
;;=     i32_add s1, s1, s0
;;=     ret_1 s1
