;; Addresses that are sums, constants that are stored, copies within memory.
(module
  (memory 1)
  (memory 1)
  (func $loads (param i32 i32) (result i32 i64 f64 i32)
    (i32.load offset=4 (i32.add (local.get 0) (local.get 1)))
    (i64.load8_s (i32.add (local.get 0) (i32.const 16)))
    (f64.load offset=8 (i32.add (local.get 0) (i32.const 16)))
    (i32.load 1 offset=70000 (local.get 0)))
  (func $stores (param i32 i32 f32)
    (i32.store offset=4 (local.get 0) (i32.const -3))
    (i32.store offset=4 (local.get 0) (i32.const 1000000))
    (i64.store8 (local.get 0) (i64.const 0x1ff))
    (f32.store (local.get 0) (f32.const 0))
    (f32.store (i32.add (local.get 0) (local.get 1)) (local.get 2))
    (i32.store (i32.add (local.get 0) (i32.const 12)) (i32.xor (local.get 0) (local.get 1)))
    (i64.store 1 (local.get 0) (i64.const 1)))
  (func $sum_of_temporaries (param i32 i32)
    (i32.store
      (i32.add (i32.load (local.get 0)) (i32.load (local.get 1)))
      (i32.load8_u (local.get 1)))
    (f64.store
      (i32.add (i32.load (local.get 0)) (i32.load (local.get 1)))
      (f64.const 1)))
  (func $absolute (param i32) (result i32)
    (i32.store offset=4 (i32.const 1000) (local.get 0))
    (i32.store (i32.const 1000) (i32.const 5))
    (i32.store8 offset=0xffffffff (i32.const 1) (i32.const 5))
    (i32.load offset=24 (i32.const 1000)))
  (func $indexed (param i32 i32 f64) (result f64)
    (f64.store offset=16 (i32.add (local.get 0) (i32.shl (local.get 1) (i32.const 3))) (local.get 2))
    (f64.load (i32.add (i32.shl (local.get 1) (i32.const 3)) (local.get 0))))
  (func $copies (param i32 i32)
    (i32.store offset=8 (local.get 0) (i32.load offset=4 (local.get 1)))
    (f64.store (local.get 0) (f64.load (local.get 1))))
  (func $masks (param i32 i64) (result i32)
    (i32.store8 (local.get 0) (i32.and (local.get 0) (i32.const 255)))
    (i32.store16 (i32.wrap_i64 (local.get 1)) (i32.and (local.get 0) (i32.const 0x7fff)))
    (i32.sub (i32.and (i32.load8_u (local.get 0)) (i32.const 255))
      (i32.and (i32.const 0xfff) (i32.load16_u (local.get 0)))))
  (func $bulk (param i32)
    (memory.fill (local.get 0) (i32.const 0) (i32.const 100))
    (memory.copy 0 1 (local.get 0) (i32.const 0) (i32.const 100))
    (drop (memory.grow (memory.size))))
)
;;= func 0 $loads, 6 slots
;;=     i32_load_add s2, s0, s1, 4
;;=     i64_load8_s_addi s3, s0, 16
;;=     i32_add_imm s4, s0, 16
;;=     f64_load s4, s4, 8
;;=     i32_load_mem s5, s0, 70000, mem 1
;;=     ret_n s2, 4
;;= func 1 $stores, 6 slots
;;=     i32_store_imm s0, -3, 4
;;=     const32 s4, 1000000
;;=     i32_store s0, s4, 4
;;=     i64_store8_imm s0, 255, 0
;;=     i32_store_imm s0, 0, 0
;;=     f32_store_add s0, s1, s2, 0
;;=     i32_xor s4, s0, s1
;;=     i32_store_addi s0, 12, s4
;;=     const64s s4, 1
;;=     i64_store_mem s0, s4, 0, mem 1
;;=     ret
;;= func 2 $sum_of_temporaries, 4 slots
;;=     i32_load s2, s0, 0
;;=     i32_load s3, s1, 0
;;=     i32_add s2, s3, s2
;;=     i32_load8_u s3, s1, 0
;;=     i32_store s2, s3, 0
;;=     i32_load s2, s0, 0
;;=     i32_load s3, s1, 0
;;=     i32_add s2, s3, s2
;;=     const64 s3, 4607182418800017408
;;=     i64_store s2, s3, 0
;;=     ret
;;= func 3 $absolute, 3 slots
;;=     i32_store_abs 1004, s0
;;=     const32 s2, 5
;;=     i32_store_abs 1000, s2
;;=     const32 s1, 1
;;=     const32 s2, 5
;;=     i32_store8 s1, s2, 4294967295
;;=     i32_load_abs s1, 1024
;;=     ret_1 s1
;;= func 4 $indexed, 6 slots
;;=     f64_store_add_shl s0, s1, s2, 3, 16
;;=     f64_load_add_shl s3, s0, s1, 3, 0
;;=     ret_1 s3
;;= func 5 $copies, 4 slots
;;=     i32_load_store s0, 8, s1, 4
;;=     i64_load_store s0, 0, s1, 0
;;=     ret
;;= func 6 $masks, 5 slots
;;=     i32_store8 s0, s0, 0
;;=     i32_wrap_i64 s2, s1
;;=     i32_and_imm s3, s0, 32767
;;=     i32_store16 s2, s3, 0
;;=     i32_load8_u s2, s0, 0
;;=     i32_load16_u s4, s0, 0
;;=     i32_and_imm s3, s4, 4095
;;=     i32_sub s2, s2, s3
;;=     ret_1 s2
;;= func 7 $bulk, 4 slots
;;=     const32 s3, 100
;;=     const32 s2, 0
;;=     memory_fill s0, s2, s3, mem 0
;;=     const32 s3, 100
;;=     const32 s2, 0
;;=     memory_copy s0, s2, s3, mem_d 0, mem_s 1
;;=     memory_size s1, mem 0
;;=     memory_grow s1, s1, mem 0
;;=     ret
