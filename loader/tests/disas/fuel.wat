;;! fuel interruption
;; Each basic block pays for its operators when it begins.
(module
  (func $count (param $n i32) (result i32) (local $i i32)
    (loop $l
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get $i) (local.get $n)))
      (if (i32.eqz (local.get $n)) (then (return (i32.const 1))) (else (nop))))
    (local.get $i))
  (func $empty)
  (func $for_ever (loop (br 0)))
)
;;= func 0 $count, 4 slots
;;=     const32 s1, 0
;;=     fuel 1
;;=     check
;;= @8:
;;=     fuel 8
;;=     check
;;=     i32_inc_br_lt_u s1, 1, s0, @8
;;=     fuel 3
;;=     br_nez s0, @31
;;=     fuel 2
;;=     ret_imm 1
;;= @31:
;;=     fuel 5
;;=     ret_1 s1
;;= func 1 $empty, 0 slots
;;=     fuel 1
;;=     check
;;=     ret
;;= func 2 $for_ever, 0 slots
;;=     fuel 1
;;=     check
;;= @4:
;;=     fuel 1
;;=     check
;;=     br @4
