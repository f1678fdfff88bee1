;; Operators that are joined with the one before: each operand is read before its slot gets another value.

(module
  (memory 1)
  (data (i32.const 0) "\0a\00\00\00\06\00\00\00")
  (global $g (mut i32) (i32.const 100))
  ;; The sum waits in a slot that the value is then computed in.
  (func (export "sum, then value") (param i32 i32) (result i32)
    (i32.store (i32.add (i32.load (local.get 0)) (i32.load (local.get 1))) (i32.load8_u (local.get 1)))
    (i32.load (i32.const 16)))
  (func (export "sum, then wide value") (param i32 i32) (result i64)
    (i64.store (i32.add (i32.load (local.get 0)) (i32.load (local.get 1))) (i64.const -5))
    (i64.load (i32.const 16)))
  ;; A local changes while its old value waits on the stack.
  (func (export "old value of a local") (param i32) (result i32)
    local.get 0
    (local.set 0 (i32.const 1000))
    local.get 0
    i32.sub)
  (func (export "old value in an address") (param i32) (result i32)
    local.get 0
    (i32.load (local.tee 0 (i32.const 4)))
    i32.store offset=32
    (i32.add (local.get 0) (i32.load offset=32 (i32.const 8))))
  (func (export "old value across a block") (param i32) (result i32)
    local.get 0
    (block (br_if 0 (i32.lt_s (local.get 0) (i32.const 5))) (local.set 0 (i32.const 50)))
    local.get 0
    i32.sub)
  (func (export "old value of a global") (result i32)
    global.get $g
    (global.set $g (i32.add (global.get $g) (i32.const 1)))
    global.get $g
    i32.sub)
  ;; A select on a comparison with zero.
  (func (export "one for zero") (param i32) (result i32)
    (select (i32.const 1) (local.get 0) (i32.eqz (local.get 0))))
  (func (export "one for zero, in place") (param i32) (result i32)
    (local.set 0 (select (i32.const 1) (local.get 0) (i32.eqz (local.get 0))))
    (i32.rem_s (i32.const 7) (local.get 0)))
  (func (export "other for not zero") (param i64 i64) (result i64)
    (select (local.get 1) (local.get 0) (i64.ne (local.get 0) (i64.const 0))))
  ;; A loop whose condition uses what the loop just changed.
  (func (export "count") (param i32) (result i32) (local i32)
    (loop
      (local.set 1 (i32.add (local.get 1) (i32.const 3)))
      (br_if 0 (i32.gt_s (local.tee 0 (i32.sub (local.get 0) (i32.const 1))) (local.get 1))))
    (i32.add (i32.mul (local.get 0) (i32.const 100)) (local.get 1))))

(assert_return (invoke "sum, then value" (i32.const 0) (i32.const 4)) (i32.const 6))
(assert_return (invoke "sum, then wide value" (i32.const 0) (i32.const 4)) (i64.const -5))
(assert_return (invoke "old value of a local" (i32.const 7)) (i32.const -993))
(assert_return (invoke "old value in an address" (i32.const 8)) (i32.const 10))
(assert_return (invoke "old value across a block" (i32.const 9)) (i32.const -41))
(assert_return (invoke "old value across a block" (i32.const 3)) (i32.const 0))
(assert_return (invoke "old value of a global") (i32.const -1))
(assert_return (invoke "one for zero" (i32.const 0)) (i32.const 1))
(assert_return (invoke "one for zero" (i32.const 25923)) (i32.const 25923))
(assert_return (invoke "one for zero, in place" (i32.const 0)) (i32.const 0))
(assert_return (invoke "one for zero, in place" (i32.const 4)) (i32.const 3))
(assert_return (invoke "other for not zero" (i64.const 0) (i64.const 9)) (i64.const 0))
(assert_return (invoke "other for not zero" (i64.const 0x100000000) (i64.const 9)) (i64.const 9))
(assert_return (invoke "count" (i32.const 10)) (i32.const 709))
