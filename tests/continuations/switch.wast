;; From one continuation straight to another. Numbers are those of docs/continuation-rules.md. Rules 20 to 23.

;; 20. The one that was left is the last argument of the one that is gone to; whichever returns gives the results.
(module
  (rec
    (type $f (func (param i32 (ref null $k)) (result i32)))
    (type $k (cont $f)))
  (tag $s (result i32))
  (global $n (mut i32) (i32.const 0))
  (elem declare func $ping $pong $start)

  ;; Both count up to `$n`; each goes to the other with the next number.
  (func $ping (type $f) (param $x i32) (param $peer (ref null $k)) (result i32)
    (loop $l
      (if (i32.ge_u (local.get $x) (global.get $n))
        (then (return (i32.add (local.get $x) (i32.const 1000)))))
      (switch $k $s (i32.add (local.get $x) (i32.const 1)) (local.get $peer))
      (local.set $peer)
      (local.set $x)
      (br $l))
    (unreachable))
  (func $pong (type $f) (param $x i32) (param $peer (ref null $k)) (result i32)
    (loop $l
      (if (i32.ge_u (local.get $x) (global.get $n))
        (then (return (i32.add (local.get $x) (i32.const 2000)))))
      (switch $k $s (i32.add (local.get $x) (i32.const 1)) (local.get $peer))
      (local.set $peer)
      (local.set $x)
      (br $l))
    (unreachable))
  (func $start (type $f) (param $x i32) (param (ref null $k)) (result i32)
    (call $ping (local.get $x) (cont.new $k (ref.func $pong))))
  (func (export "ping-pong") (param $n i32) (result i32)
    (global.set $n (local.get $n))
    (resume $k (on $s switch) (i32.const 0) (ref.null $k) (cont.new $k (ref.func $start))))
)
(assert_return (invoke "ping-pong" (i32.const 0)) (i32.const 1000))
(assert_return (invoke "ping-pong" (i32.const 1)) (i32.const 2001))
(assert_return (invoke "ping-pong" (i32.const 2)) (i32.const 1002))
(assert_return (invoke "ping-pong" (i32.const 501)) (i32.const 2501))

;; A ring of tasks in a table; arguments of several sizes, and none.
(module
  (rec
    (type $f (func (param v128 i64 (ref null $k)) (result i64)))
    (type $k (cont $f)))
  (rec
    (type $f0 (func (param (ref null $k0)))) (type $k0 (cont $f0)))
  (tag $s (result i64))
  (tag $s0)
  (table $tasks 5 (ref null $k))
  (global $left (mut i32) (i32.const 0))
  (global $at (mut i32) (i32.const 0))
  (elem declare func $task $a $b)

  (func $task (type $f) (param $v v128) (param $sum i64) (param $from (ref null $k)) (result i64)
    (loop $l
      (if (ref.is_null (local.get $from)) (then)
        (else
          ;; Who came from there waits there.
          (table.set $tasks
            (i32.rem_u (i32.add (global.get $at) (i32.const 4)) (i32.const 5)) (local.get $from))))
      (global.set $left (i32.sub (global.get $left) (i32.const 1)))
      (if (i32.eqz (global.get $left)) (then (return (local.get $sum))))
      (global.set $at (i32.rem_u (i32.add (global.get $at) (i32.const 1)) (i32.const 5)))
      (switch $k $s
        (i64x2.add (local.get $v) (v128.const i64x2 1 2))
        (i64.add (local.get $sum) (i64x2.extract_lane 1 (local.get $v)))
        (table.get $tasks (global.get $at)))
      (local.set $from) (local.set $sum) (local.set $v)
      (br $l))
    (unreachable))
  (func (export "ring") (param $n i32) (result i64)
    (local $i i32)
    (loop $l
      (table.set $tasks (local.get $i) (cont.new $k (ref.func $task)))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))
    (global.set $left (local.get $n))
    (global.set $at (i32.const 0))
    (resume $k (on $s switch)
      (v128.const i64x2 0 0) (i64.const 0) (ref.null $k) (table.get $tasks (i32.const 0))))

  (func $a (type $f0) (param (ref null $k0)) (switch $k0 $s0 (cont.new $k0 (ref.func $b))) (drop) (global.set $at (i32.const 77)))
  (func $b (type $f0) (param $a (ref null $k0)) (resume $k0 (ref.null $k0) (local.get $a)))
  (func (export "no-arguments") (result i32)
    (resume $k0 (on $s0 switch) (ref.null $k0) (cont.new $k0 (ref.func $a)))
    (global.get $at))
)
;; The sum of 0, 2, 4 … of all tasks but the last.
(assert_return (invoke "ring" (i32.const 1)) (i64.const 0))
(assert_return (invoke "ring" (i32.const 4)) (i64.const 6))
(assert_return (invoke "ring" (i32.const 23)) (i64.const 462))
(assert_return (invoke "no-arguments") (i32.const 77))

;; 21. Out of nested resumptions: what lies below the clause is left as a whole, and can go on anywhere.
(module
  (rec
    (type $f (func (param i32 (ref null $k)) (result i32)))
    (type $k (cont $f)))
  (type $g (func (result i32))) (type $l (cont $g))
  (tag $s (result i32))
  (tag $t (result i32))
  (global $left (mut (ref null $k)) (ref.null $k))
  (elem declare func $outer $inner $goes-on $leaves $asks)

  (func $outer (type $f) (param i32) (param (ref null $k)) (result i32)
    (i32.add (i32.const 100) (resume $l (cont.new $l (ref.func $inner)))))
  (func $inner (result i32)
    (switch $k $s (i32.const 1) (cont.new $k (ref.func $goes-on)))
    (drop))
  (func $goes-on (type $f) (param i32) (param $left (ref null $k)) (result i32)
    (i32.add (i32.const 1000) (resume $k (i32.const 7) (ref.null $k) (local.get $left))))
  (func (export "whole") (result i32)
    (resume $k (on $s switch) (i32.const 0) (ref.null $k) (cont.new $k (ref.func $outer))))

  ;; It outlives the resumption that it left, and suspends to another.
  (func $leaves (type $f) (param i32) (param $left (ref null $k)) (result i32)
    (global.set $left (local.get $left))
    (i32.const 3))
  (func $asks (result i32)
    (switch $k $s (i32.const 1) (cont.new $k (ref.func $leaves)))
    (drop)
    (i32.add (suspend $t)))
  (func $outer-asks (type $f) (param i32) (param (ref null $k)) (result i32)
    (i32.mul (i32.const 10) (resume $l (cont.new $l (ref.func $asks)))))
  (elem declare func $outer-asks)
  (func (export "later") (result i32)
    (local $k (ref null $answer))
    (block $h (result (ref $answer))
      (return (i32.add
        (resume $k (on $s switch) (i32.const 0) (ref.null $k) (cont.new $k (ref.func $outer-asks)))
        (resume $k (on $t $h) (i32.const 20) (ref.null $k) (global.get $left)))))
    (local.set $k)
    (i32.add (i32.const 10000) (resume $answer (i32.const 5) (local.get $k))))
  (type $answer-f (func (param i32) (result i32))) (type $answer (cont $answer-f))
)
(assert_return (invoke "whole") (i32.const 1107))
(assert_return (invoke "later") (i32.const 10250))

;; 22. Not found: the outcome is that of a suspension, and the target is as it was.
(module
  (rec
    (type $f (func (param (ref null $k)) (result i32)))
    (type $k (cont $f)))
  (type $h (func (param (ref null $k) i64) (result i32))) (type $l (cont $h))
  (tag $s (result i32))
  (tag $other (result i32))
  (global $target (mut (ref null $k)) (ref.null $k))
  (elem declare func $nine $switches)
  (func $nine (type $f) (param (ref null $k)) (result i32) (i32.const 9))
  (func $switches (type $f) (param (ref null $k)) (result i32)
    (switch $k $s (global.get $target))
    (drop)
    (i32.const 1))
  (func (export "new") (global.set $target (cont.new $k (ref.func $nine))))
  (func (export "without-clause") (result i32)
    (resume $k (on $other switch) (ref.null $k) (cont.new $k (ref.func $switches))))
  (func (export "outside") (result i32) (call $switches (ref.null $k)))
  (func (export "with-label") (result i32)
    (block $h (result (ref $k2))
      (return (resume $k (on $s $h) (ref.null $k) (cont.new $k (ref.func $switches)))))
    (unreachable))
  (type $f2 (func (param i32) (result i32))) (type $k2 (cont $f2))
  (func (export "resume") (result i32) (resume $k (ref.null $k) (global.get $target)))
  (func (export "with-clause") (result i32)
    (resume $k (on $s switch) (ref.null $k) (cont.new $k (ref.func $switches))))

  ;; 23. Whether the target can be used is asked first.
  (func (export "null-without-clause") (result i32)
    (switch $k $s (ref.null $k))
    (drop)
    (i32.const 0))
)
(assert_return (invoke "new"))
(assert_suspension (invoke "without-clause") "unhandled tag")
(assert_suspension (invoke "outside") "unhandled tag")
(assert_suspension (invoke "with-label") "unhandled tag")
(assert_return (invoke "resume") (i32.const 9))
(assert_trap (invoke "outside") "continuation already consumed")
(assert_trap (invoke "without-clause") "continuation already consumed")
(assert_trap (invoke "null-without-clause") "null continuation reference")
(assert_return (invoke "new"))
(assert_return (invoke "with-clause") (i32.const 9))
(assert_trap (invoke "resume") "continuation already consumed")

;; 20. The innermost clause of the right kind; clauses with labels for the tag are passed by.
(module
  (rec
    (type $f (func (param i32 (ref null $k)) (result i32)))
    (type $k (cont $f)))
  (type $g (func (result i32))) (type $l (cont $g))
  (type $h (func (param i32) (result i32))) (type $m (cont $h))
  (tag $s (result i32))
  (elem declare func $from $to $labelled)
  (func $from (result i32)
    (switch $k $s (i32.const 4) (cont.new $k (ref.func $to)))
    (drop))
  (func $to (type $f) (param $x i32) (param (ref null $k)) (result i32) (local.get $x))
  ;; Were its clause taken, 50 would come out; it is left with its resumption.
  (func $labelled (result i32)
    (block $h (result (ref $m))
      (return (i32.add (i32.const 60) (resume $l (on $s $h) (cont.new $l (ref.func $from))))))
    (drop)
    (i32.const 50))
  (func (export "passed-by") (result i32)
    (i32.add (i32.const 300) (resume $l (on $s switch) (cont.new $l (ref.func $labelled)))))
)
(assert_return (invoke "passed-by") (i32.const 304))
