;; Immediates, operands that change places, and two operators in one op.
(module
  (func $immediates (param i32 i64) (result i32 i64)
    (i32.sub (i32.const 7) (i32.sub (local.get 0) (i32.const 5)))
    (i64.sub (i64.mul (i64.const 3) (local.get 1)) (i64.const 5000000000)))
  (func $both_constant (result i32)
    (i32.sub (i32.const 7) (i32.const 5)))
  (func $swapped (param i32 i64) (result i32)
    (i32.or
      (i32.lt_s (i32.const 3) (local.get 0))
      (i64.ge_u (i64.const 4) (local.get 1))))
  (func $sums (param i32 i32 i32) (result i32)
    (i32.add (i32.shl (local.get 0) (i32.const 3)) (local.get 1))
    (i32.add (i32.add (local.get 0) (local.get 1)) (i32.const -8))
    (i32.add (i32.mul (local.get 0) (i32.const 12)) (local.get 2))
    (i32.add (local.get 1) (i32.mul (local.get 0) (local.get 2)))
    i32.add
    i32.add
    i32.add)
  (func $bits (param i32 i64 i64) (result i32 i64)
    (i32.and (i32.shr_u (local.get 0) (i32.const 8)) (i32.const 255))
    (i64.rotl (i64.xor (local.get 1) (local.get 2)) (i64.const 63)))
  (func $not_fused_when_seen (param i32) (result i32) (local i32)
    (i32.add (local.tee 1 (i32.shl (local.get 0) (i32.const 3))) (local.get 0))
    (i32.add (local.get 1)))
  (func $floats (param f64 f32) (result f64 f32)
    (f64.add (f64.mul (local.get 0) (local.get 0)) (local.get 0))
    (f32.div (f32.const 1) (f32.mul (local.get 1) (f32.const 0.5))))
  (func $select (param i32 f64 i64) (result f64 i64 i32)
    (select (local.get 1) (f64.const 0) (i32.eqz (local.get 0)))
    (select (i64.const 1) (local.get 2) (local.get 0))
    (i32.eqz (i32.eqz (local.get 0))))
  (func $select_on_comparison (param i32 i32 i64 i64 f64) (result i32 i32 i64 f64 i32)
    (select (i32.const 1) (local.get 0) (i32.lt_s (local.get 0) (local.get 1)))
    (select (local.get 0) (local.get 1) (i32.ne (local.get 0) (i32.const 9)))
    (select (local.get 2) (local.get 3) (i64.le_u (local.get 2) (local.get 3)))
    (select (local.get 4) (f64.const 1) (f64.gt (local.get 4) (f64.const 1)))
    (select (local.get 0) (local.get 1) (i64.gt_s (local.get 2) (i64.const 9))))
  (func $shifts_and_masks (param i32 i64) (result i32 i64)
    (i32.xor (i32.and (i32.add (local.get 0) (i32.const 7)) (i32.const -8))
      (i32.shr_u (local.get 0) (i32.const 3)))
    (i64.mul (i64.xor (i64.shl (local.get 1) (i64.const 13)) (local.get 1))
      (i64.const 0x9e3779b97f4a7c15)))
  (func $conversions (param i32 i64 f64) (result i64 i32 i64)
    (i64.add (i64.extend_i32_u (local.get 0)) (i64.reinterpret_f64 (local.get 2)))
    (i32.add (i32.wrap_i64 (i64.shr_u (local.get 1) (i64.const 32))) (i32.wrap_i64 (local.get 1)))
    (i64.const 1))
  (func $dropped (param i32)
    (drop (i32.add (local.get 0) (i32.const 1)))
    (drop (i32.div_u (local.get 0) (local.get 0))))
)
;;= func 0 $immediates, 5 slots
;;=     i32_add_imm s3, s0, -5
;;=     i32_sub_rimm s2, 7, s3
;;=     i64_mul_imm s3, s1, 3
;;=     const64 s4, 5000000000
;;=     i64_sub s3, s3, s4
;;=     ret_n s2, 2
;;= func 1 $both_constant, 2 slots
;;=     const32 s0, 7
;;=     const32 s1, 5
;;=     i32_sub s0, s0, s1
;;=     ret_1 s0
;;= func 2 $swapped, 5 slots
;;=     i32_gt_s_imm s2, s0, 3
;;=     i64_le_u_imm s3, s1, 4
;;=     i32_or s2, s2, s3
;;=     ret_1 s2
;;= func 3 $sums, 9 slots
;;=     i32_add_shl s3, s1, s0, 3
;;=     i32_add_add_imm s4, s0, s1, -8
;;=     i32_mul_imm_add s5, s0, s2, 12
;;=     i32_mul_add s6, s0, s2, s1
;;=     i32_add_add s4, s6, s5, s4
;;=     i32_add s3, s4, s3
;;=     ret_1 s3
;;= func 4 $bits, 6 slots
;;=     i32_shr_u_and s3, s0, 8, 255
;;=     i64_xor_rotl s4, s1, s2, 63
;;=     ret_n s3, 2
;;= func 5 $not_fused_when_seen, 4 slots
;;=     i32_shl_imm s1, s0, 3
;;=     i32_add_add s2, s1, s0, s1
;;=     ret_1 s2
;;= func 6 $floats, 6 slots
;;=     f64_mul_add s2, s0, s0, s0
;;=     f32_mul_imm s4, s1, 0.5
;;=     f32_div_rimm s3, 1.0, s4
;;=     ret_n s2, 2
;;= func 7 $select, 7 slots
;;=     const_f64 s4, 0.0
;;=     select_f64 s3, s4, s1, s0
;;=     const64s s4, 1
;;=     select s4, s4, s2, s0
;;=     i32_ne_imm s5, s0, 0
;;=     ret_n s3, 3
;;= func 8 $select_on_comparison, 13 slots
;;=     const32 s5, 1
;;=     select_i32_lt_s s5, s0, s1, s5, s0
;;=     select_i32_eq_imm s6, s0, 9, s1, s0
;;=     select_i64_lt_u s7, s3, s2, s3, s2
;;=     const_f64 s11, 1.0
;;=     const_f64 s9, 1.0
;;=     select_f64_lt s8, s11, s4, s4, s9
;;=     i64_gt_s_imm s11, s2, 9
;;=     select s9, s0, s1, s11
;;=     ret_n s5, 5
;;= func 9 $shifts_and_masks, 5 slots
;;=     i32_add_imm_and s2, s0, 7, -8
;;=     i32_xor_shr_u s2, s2, s0, 3
;;=     i64_xor_shl s3, s1, s1, 13
;;=     i64_mul_imm64 s3, s3, 11400714819323198485
;;=     ret_n s2, 2
;;= func 10 $conversions, 6 slots
;;=     i64_add s3, s0, s2
;;=     i64_shr_u_imm s4, s1, 32
;;=     i32_add s4, s1, s4
;;=     const64s s5, 1
;;=     ret_n s3, 3
;;= func 11 $dropped, 3 slots
;;=     i32_div_u s1, s0, s0
;;=     ret
