;;! stack-switching
;; Continuations: the clauses of a resumption stand right behind its op and are never run.
(module
  (type $f (func (param i32) (result i64)))
  (type $k (cont $f))
  (type $g (func (param i32 v128 i32) (result i64)))
  (type $kg (cont $g))
  (type $back (func (param i64 v128) (result i64)))
  (type $kb (cont $back))
  (type $h (func (param i32 (ref null $kb)) (result i64)))
  (type $kh (cont $h))
  (tag $yield (param i32) (result i32))
  (tag $swap (result i64))
  (elem declare func $body $three)
  (func $body (param i32) (result i64)
    (drop (suspend $yield (i32.add (local.get 0) (i32.const 1))))
    (i64.const 1))
  (func $three (param i32 v128 i32) (result i64) (i64.const 1))
  ;; The continuation is made next to the op that takes it.
  (func $run (param i32) (result i64)
    (resume $k (local.get 0) (cont.new $k (ref.func $body))))
  (func $bind (param (ref $kg)) (result (ref $k))
    (cont.bind $kg $k (i32.const 7) (v128.const i64x2 1 2) (local.get 0)))
  ;; To a loop, to a block below which something lies, and out of the function.
  (func $clauses (param (ref null $k)) (result i32 (ref null $k))
    (i32.const 100)
    (block $taken (result i32 (ref null $k))
      (i32.const 5)
      (local.get 0)
      (loop $again (param i32 (ref null $k)) (result i64)
        (resume $k (on $yield $taken) (on $yield $again) (on $swap switch) (on $yield 2)))
      (drop)
      (return (i32.const 6) (local.get 0)))
    (local.set 0)
    (i32.add)
    (local.get 0))
  (func $throws (param (ref $k) exnref) (result i64)
    (block $caught
      (try_table (catch_all $caught)
        (return (resume_throw $k $thrown (i32.const 3) (i64.const 4) (local.get 0)))))
    (resume_throw_ref $k (local.get 1) (local.get 0)))
  (tag $thrown (param i32 i64))
  (func $switch (param (ref $kh)) (result i64 v128)
    (switch $kh $swap (i32.const 8) (local.get 0)))
  (func $null (result i64)
    (resume $k (i32.const 1) (ref.null $k))))
;;= func 0 $body, 3 slots
;;=     i32_add_imm s1, s0, 1
;;=     suspend tag 0, s1, 1, 1, 0
;;=     ret_imm 1
;;= func 1 $three, 5 slots
;;=     ret_imm 1
;;= func 2 $run, 3 slots
;;=     ref_func s2, 0
;;=     copy s1, s0
;;=     cont_new s2, s2, ty 1
;;=     resume s2, ty 1, s1, 1, 1, 0
;;=     ret_1 s1
;;= func 3 $bind, 5 slots
;;=     const32 s1, 7
;;=     const_v128 s2, 0x00000000000000020000000000000001
;;=     cont_bind s1, s0, s1, 3, from 3, to 1
;;=     ret_1 s1
;;= func 4 $clauses, 4 slots
;;=     copy s3, s0
;;=     const32 s2, 5
;;= @7:
;;=     resume s3, ty 1, s2, 1, 1, 4
;;=     on tag 0, ty 1, s2, 2, @61
;;=     on tag 0, ty 1, s2, 2, @7
;;=     on_switch tag 1, 0, 0
;;=     on tag 0, ty 1, s1, 2, @75
;;=     const32 s2, 6
;;=     copy s3, s0
;;=     ret_n s2, 2
;;= @61:
;;=     copy s0, s3
;;=     i32_add_imm s1, s2, 100
;;=     copy s2, s0
;;=     ret_n s1, 2
;;= @75:
;;=     ret_n s1, 2
;;= func 5 $throws, 5 slots
;;=     const32 s2, 3
;;=     const64s s3, 4
;;=     resume_throw s0, ty 1, tag 2, s2, 2, 0
;;=     ret_1 s2
;;= @19:
;;=     resume_throw_ref s0, s1, ty 1, s2, 0
;;=     ret_1 s2
;;=     try_range 8, 17, 1
;;=     catch_all 0, s2, 0, @19
;;= func 6 $switch, 4 slots
;;=     const32 s1, 8
;;=     switch s0, ty 7, back 5, tag 1, s1, 1, 3, 0
;;=     ret_n s1, 3
;;= func 7 $null, 2 slots
;;=     const32 s0, 1
;;=     const32 s1, 0
;;=     resume s1, ty 1, s0, 1, 1, 0
;;=     ret_1 s0
