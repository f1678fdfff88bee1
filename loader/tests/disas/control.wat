;; Branches: merged with conditions, with copies only where values must move.
(module
  (func $count (param $n i32) (result i32) (local $i i32) (local $sum i32)
    (loop $l
      (local.set $sum (i32.add (local.get $sum) (local.get $i)))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                          (local.get $n))))
    (local.get $sum))
  (func $down (param $n i32)
    (loop $l
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $l (local.get $n))))
  (func $if_else (param i32 f64 f64) (result f64)
    (if (result f64) (i32.eqz (i32.gt_s (local.get 0) (i32.const 5)))
      (then (f64.sub (local.get 1) (local.get 2)))
      (else (f64.const 1))))
  (func $float_condition (param f32 f32)
    (block
      (br_if 0 (i32.eqz (f32.lt (local.get 0) (local.get 1))))
      (br_if 0 (f32.eq (local.get 0) (local.get 1)))
      unreachable))
  (func $bit_not_set (param i32)
    (block
      (br_if 0 (i32.eqz (i32.and (local.get 0) (i32.const 4))))
      (if (i32.eqz (i32.and (local.get 0) (i32.const 8))) (then unreachable))))
  (func $br_if_with_value (param i32 i32) (result i32)
    (i32.add
      (i32.const 100)
      (block $b (result i32)
        (i32.eqz (br_if $b (i32.const 7) (i32.and (local.get 0) (i32.const 4))))
        (br_if $b (local.get 1))
        drop
        (i32.const 8))))
  (func $loop_parameter (param i32) (result i32)
    (i32.const 10)
    (loop $l (param i32) (result i32)
      (i32.sub (i32.const 1))
      (local.tee 0)
      (br_if $l (local.get 0))))
  (func $table (param i32) (result i32)
    (block $a (block $b (block $c
      (br_table $a $b $c (local.get 0)))
      (return (i32.const 1)))
      (return (i32.const 2)))
    (i32.const 3))
  (func $table_from_3 (param i32)
    (block (block (br_table 0 1 (i32.sub (local.get 0) (i32.const 3)))) (call $down (local.get 0))))
  (func $strided (param $i i32) (param $step i32) (param $n i32)
    (loop $l
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (local.get $step)))
                          (local.get $n)))))
  (func $while (param $i i32) (param $n i32)
    (block $exit
      (loop $top
        (br_if $exit (i32.ge_u (local.get $i) (local.get $n)))
        (call $down (local.get $i))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $top))))
  (func $exit_at_the_end (param $i i32) (param $n i32)
    (block $exit
      (block $other
        (loop $top
          (call $down (local.get $i))
          (br_if $other (i32.eq (local.get $i) (local.get $n)))
          (br $top)))
      (call $down (local.get $n))))
  (func $while_only_counts (param $i i32) (param $n i32) (result i32)
    (block $exit
      (loop $top
        (br_if $exit (i32.ge_u (local.get $i) (local.get $n)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $top)))
    (local.get $i))
  (func $down_to_zero (param $i i32)
    (block $exit
      (loop $top
        (call $down (local.get $i))
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (br_if $exit (i32.eqz (local.get $i)))
        (br $top))))
  (func $inner_block_first (param $i i32)
    (loop $top
      (block $inner
        (br_if $inner (local.get $i))
        (call $down (local.get $i)))
      (call $down (i32.const 0))
      (br $top)))
  (func $branch_to_the_next (param i32) (result i32)
    (if (local.get 0) (then (block (call $down (local.get 0)) (br 0))) (else (call $down (i32.const 2))))
    (local.get 0))
  (func $table_with_value (param i32) (result i32)
    (block $a (result i32)
      (i32.const 5)
      (block $b (result i32)
        (br_table $a $b 2 (i32.const 9) (local.get 0)))
      (i32.add))
    (i32.const 1)
    (i32.shl))
  (func $dead (result i32)
    (block (result i32)
      (br 0 (i32.const 1))
      (i32.add (i32.const 2) (unreachable))
      (loop (br 0))
      (if (i32.const 1) (then (nop)) (else (return (i32.const 6))))))
  (func $two_results (param i32 i64) (result i64 i32)
    local.get 1
    local.get 0)
  (func $return_if (param i32 i32) (result i32)
    (if (i32.ne (local.get 0) (local.get 1)) (then (return (local.get 0))))
    (i32.const -1))
)
;;= func 0 $count, 5 slots
;;=     zero s1, 2
;;= @3:
;;=     i32_add s2, s2, s1
;;=     i32_inc_br_lt_u s1, 1, s0, @3
;;=     ret_1 s2
;;= func 1 $down, 3 slots
;;= @0:
;;=     i32_inc_br_nez s0, -1, @0
;;=     ret
;;= func 2 $if_else, 5 slots
;;=     br_i32_gt_s_imm s0, 5, @13
;;=     f64_sub s3, s1, s2
;;=     br @19
;;= @13:
;;=     const_f64 s3, 1.0
;;= @19:
;;=     ret_1 s3
;;= func 3 $float_condition, 4 slots
;;=     br_not_f32_lt s0, s1, @11
;;=     br_f32_eq s0, s1, @11
;;=     unreachable
;;= @11:
;;=     ret
;;= func 4 $bit_not_set, 3 slots
;;=     br_i32_test_not s0, 4, @11
;;=     br_i32_test s0, 8, @11
;;=     unreachable
;;= @11:
;;=     ret
;;= func 5 $br_if_with_value, 6 slots
;;=     br_i32_test_not s0, 4, @12
;;=     const32 s3, 7
;;=     br @27
;;= @12:
;;=     const32 s3, 7
;;=     i32_eqz s3, s3
;;=     br_nez s1, @27
;;=     const32 s3, 8
;;= @27:
;;=     i32_add_imm s2, s3, 100
;;=     ret_1 s2
;;= func 6 $loop_parameter, 3 slots
;;=     const32 s1, 10
;;= @4:
;;=     i32_add_imm s0, s1, -1
;;=     br_eqz s0, @18
;;=     copy_br s1, s0, @4
;;= @18:
;;=     ret_1 s0
;;= func 7 $table, 2 slots
;;=     br_table s0, 2
;;=     br @19
;;=     br @16
;;=     br @13
;;= @13:
;;=     ret_imm 1
;;= @16:
;;=     ret_imm 2
;;= @19:
;;=     ret_imm 3
;;= func 8 $table_from_3, 3 slots
;;=     br_table_add s0, -3, 1
;;=     br @12
;;=     br @19
;;= @12:
;;=     copy s1, s0
;;=     call func 1, s1
;;= @19:
;;=     ret
;;= func 9 $strided, 5 slots
;;= @0:
;;=     i32_add_br_lt_u s0, s1, s2, @0
;;=     ret
;;= func 10 $while, 4 slots
;;= @0:
;;=     br_i32_ge_u s0, s1, @18
;;= @5:
;;=     copy s2, s0
;;=     call func 1, s2
;;=     i32_inc_br_lt_u s0, 1, s1, @5
;;= @18:
;;=     ret
;;= func 11 $exit_at_the_end, 4 slots
;;= @0:
;;=     copy s2, s0
;;=     call func 1, s2
;;=     br_i32_ne s0, s1, @0
;;= @12:
;;=     copy s2, s1
;;=     call func 1, s2
;;=     ret
;;= func 12 $while_only_counts, 4 slots
;;= @0:
;;=     br_i32_ge_u s0, s1, @11
;;= @5:
;;=     i32_inc_br_lt_u s0, 1, s1, @5
;;= @11:
;;=     ret_1 s0
;;= func 13 $down_to_zero, 3 slots
;;= @0:
;;=     copy s1, s0
;;=     call func 1, s1
;;=     i32_inc_br_nez s0, -1, @0
;;= @12:
;;=     ret
;;= func 14 $inner_block_first, 2 slots
;;= @0:
;;=     br_nez s0, @11
;;=     copy s1, s0
;;=     call func 1, s1
;;= @11:
;;=     const32 s1, 0
;;=     call func 1, s1
;;=     br @0
;;= func 15 $branch_to_the_next, 2 slots
;;=     br_eqz s0, @14
;;=     copy s1, s0
;;=     call func 1, s1
;;= @11:
;;=     br @22
;;= @14:
;;=     const32 s1, 2
;;=     call func 1, s1
;;= @22:
;;=     ret_1 s0
;;= func 16 $table_with_value, 4 slots
;;=     const32 s2, 9
;;=     br_table s0, 2
;;=     br @17
;;=     br @24
;;=     br @22
;;= @17:
;;=     copy_br s1, s2, @29
;;= @22:
;;=     ret_1 s2
;;= @24:
;;=     i32_add_imm s1, s2, 5
;;= @29:
;;=     i32_shl_imm s1, s1, 1
;;=     ret_1 s1
;;= func 17 $dead, 1 slots
;;=     const32 s0, 1
;;= @4:
;;=     ret_1 s0
;;= func 18 $two_results, 4 slots
;;=     copy2 s2, s1, s3, s0
;;=     ret_n s2, 2
;;= func 19 $return_if, 4 slots
;;=     br_i32_eq s0, s1, @7
;;=     ret_1 s0
;;= @7:
;;=     ret_imm 4294967295
