;; References: null checks, casts, fields.
(module
  (type $f (func (param i32) (result i32)))
  (type $s (sub (struct (field i8) (field $n (mut (ref null $s))) (field i64))))
  (type $t (sub $s (struct (field i8) (field (mut (ref null $s))) (field i64) (field f64))))
  (type $a (array (mut i16)))
  (func $call (param (ref $f) i32) (result i32)
    (call_ref $f (local.get 1) (local.get 0)))
  (func $tail (param (ref null $f)) (result i32)
    (return_call_ref $f (i32.const 7) (ref.as_non_null (local.get 0))))
  (func $length (param $l (ref null $s)) (result i32)
    (local $n i32)
    (block $end
      (loop $next
        (local.set $l (struct.get $s $n (br_on_null $end (local.get $l))))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br $next)))
    (local.get $n))
  (func $last (param $l (ref $s)) (result (ref $s))
    (local.get $l)
    (loop $next (param (ref $s)) (result (ref $s))
      (br_on_non_null $next (struct.get $s $n (local.tee $l)))
      (local.get $l)))
  (func $cast (param (ref null $s)) (result f64)
    (block $other (result (ref null $s))
      (return (struct.get $t 3 (br_on_cast_fail $other (ref null $s) (ref $t) (local.get 0)))))
    (if (result f64) (ref.test (ref $t)) (then (f64.const 1)) (else (f64.const 2))))
  (func $make (param i32) (result (ref $s))
    (struct.new $s (local.get 0) (struct.new_default $t) (i64.const 5)))
  (func $array (param (ref $a) i32) (result i32)
    (array.set $a (local.get 0) (local.get 1) (i32.const 9))
    (i32.add (array.get_s $a (local.get 0) (local.get 1)) (array.len (local.get 0))))
  (func $small (param i31ref) (result i32)
    (i32.sub (i31.get_u (ref.i31 (i32.const 5))) (i31.get_s (local.get 0)))))
;;= func 0 $call, 4 slots
;;=     copy s2, s1
;;=     call_ref s0, ty 0, s2
;;=     ret_1 s2
;;= func 1 $tail, 3 slots
;;=     ref_as_non_null s0
;;=     const32 s1, 7
;;=     return_call_ref s0, ty 0, s1, 1
;;= func 2 $length, 4 slots
;;=     const32 s1, 0
;;= @4:
;;=     br_i64_eqz s0, @22
;;= @8:
;;=     struct_get_32 s0, s0, 12
;;=     i32_add_imm s1, s1, 1
;;=     br_i64_nez s0, @8
;;= @22:
;;=     ret_1 s1
;;= func 3 $last, 2 slots
;;=     copy s1, s0
;;= @3:
;;=     copy s0, s1
;;=     struct_get_32 s1, s1, 12
;;=     br_i64_nez s1, @3
;;=     ret_1 s0
;;= func 4 $cast, 2 slots
;;=     br_ref_test_type s0, ty 2, 0, @12
;;=     copy_br s1, s0, @19
;;= @12:
;;=     struct_get_64 s1, s0, 24
;;=     ret_1 s1
;;= @19:
;;=     br_not_ref_test_type s1, ty 2, 0, @35
;;=     const_f64 s1, 1.0
;;=     br @41
;;= @35:
;;=     const_f64 s1, 2.0
;;= @41:
;;=     ret_1 s1
;;= func 5 $make, 4 slots
;;=     struct_new_default s2, ty 2
;;=     copy s1, s0
;;=     const64s s3, 5
;;=     struct_new s1, s1, 3, ty 1
;;=     ret_1 s1
;;= func 6 $array, 5 slots
;;=     const32 s4, 9
;;=     array_set_16 s0, s1, s4
;;=     array_get_16s s2, s0, s1
;;=     array_len s3, s0
;;=     i32_add s2, s3, s2
;;=     ret_1 s2
;;= func 7 $small, 3 slots
;;=     const32 s1, 11
;;=     i31_get_u s1, s1
;;=     i31_get_s s2, s0
;;=     i32_sub s1, s1, s2
;;=     ret_1 s1
