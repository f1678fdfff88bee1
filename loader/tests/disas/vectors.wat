;; Vectors take two slots; a shift by a constant, rotations, sums of products and lanes of 64 bits have ops of their own.
(module
  (memory 1)
  (global $a (mut i32) (i32.const 0))
  (global $v (mut v128) (v128.const i64x2 1 2))
  (global $b (mut i64) (i64.const 0))
  (func $slots (param i32 v128 i64) (result v128) (local v128 i32)
    (local.set 3 (i32x4.add (local.get 1) (i64x2.splat (local.get 2))))
    (local.set 4 (i32.add (local.get 0) (local.get 4)))
    (local.get 3))
  (func $constants (param v128) (result v128 v128)
    (v128.xor (local.get 0) (v128.const i32x4 1 2 3 4))
    (v128.const i64x2 5 6))
  (func $rotation (param v128) (result v128)
    (v128.or (i32x4.shl (local.get 0) (i32.const 7)) (i32x4.shr_u (local.get 0) (i32.const 25))))
  (func $no_rotation (param v128 v128) (result v128)
    (v128.or (i32x4.shl (local.get 0) (i32.const 7)) (i32x4.shr_u (local.get 1) (i32.const 25))))
  (func $products (param v128 v128 v128) (result v128)
    (i32x4.add (local.get 2) (i32x4.dot_i16x8_s (local.get 0) (local.get 1))))
  (func $halves (param v128) (result i64)
    (i64.add
      (i64x2.extract_lane 0 (i64x2.add (local.get 0) (local.get 0)))
      (i64x2.extract_lane 1 (local.get 0))))
  (func $memory (param i32 i32 v128) (result v128)
    (v128.store (i32.add (local.get 0) (local.get 1)) (local.get 2))
    (v128.store offset=16 (local.get 0) (v128.load (i32.add (local.get 0) (i32.const -16))))
    (v128.load8_splat (i32.const 5)))
  (func $calls (param v128 i32) (result v128)
    (call $products (local.get 0) (local.get 0) (call $rotation (local.get 0))))
  (func $globals (result i64)
    (global.set $v (v128.not (global.get $v)))
    (global.get $b)))
;;= func 0 $slots, 11 slots
;;=     const32 s6, 0
;;=     i64x2_splat s9, s3
;;=     i32x4_add s4, s9, s1
;;=     i32_add s6, s0, s6
;;=     ret_v128 s4
;;= func 1 $constants, 6 slots
;;=     const_v128 s4, 0x00000004000000030000000200000001
;;=     v128_xor s2, s0, s4
;;=     const_v128 s4, 0x00000000000000060000000000000005
;;=     ret_n s2, 4
;;= func 2 $rotation, 7 slots
;;=     i32x4_rotl s2, s0, 7
;;=     ret_v128 s2
;;= func 3 $no_rotation, 9 slots
;;=     i32x4_shl_imm s4, s0, 7
;;=     i32x4_shr_u_imm s6, s2, 25
;;=     v128_or s4, s4, s6
;;=     ret_v128 s4
;;= func 4 $products, 12 slots
;;=     i32x4_dot_add_i16x8_s s6, s0, s2, s4
;;=     ret_v128 s6
;;= func 5 $halves, 6 slots
;;=     i64x2_add s2, s0, s0
;;=     copy s3, s1
;;=     i64_add s2, s3, s2
;;=     ret_1 s2
;;= func 6 $memory, 7 slots
;;=     v128_store_add s0, s1, s2, 0
;;=     v128_load_addi s5, s0, -16
;;=     v128_store s0, s5, 16
;;=     const32 s4, 5
;;=     v128_load8_splat s4, s4, 0
;;=     ret_v128 s4
;;= func 7 $calls, 9 slots
;;=     copy_v128 s7, s0
;;=     call func 2, s7
;;=     copy_v128 s3, s0
;;=     copy_v128 s5, s0
;;=     call func 4, s3
;;=     ret_v128 s3
;;= func 8 $globals, 2 slots
;;=     global_get_v128 s0, global 1
;;=     v128_not s0, s0
;;=     global_set_v128 s0, global 1
;;=     global_get s0, global 3
;;=     ret_1 s0
