;; Throws `rounds` times through `depth` frames to a handler. docs/performance.md says what came of it.
(module
  (tag $e (param i32))
  (func $deep (param $n i32) (param $x i32)
    (if (i32.eqz (local.get $n)) (then (throw $e (local.get $x))))
    (call $deep (i32.sub (local.get $n) (i32.const 1)) (local.get $x)))
  (func $return (param $n i32) (param $x i32) (result i32)
    (if (i32.eqz (local.get $n)) (then (return (local.get $x))))
    (call $return (i32.sub (local.get $n) (i32.const 1)) (local.get $x)))
  (func (export "throw") (param $rounds i32) (param $depth i32) (result i32)
    (local $sum i32)
    (loop $again
      (block $h (result i32)
        (try_table (catch $e $h) (call $deep (local.get $depth) (local.get $rounds)))
        (unreachable))
      (local.get $sum) (i32.add) (local.set $sum)
      (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum))
  ;; The same calls, which return.
  (func (export "return") (param $rounds i32) (param $depth i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (call $return (local.get $depth) (local.get $rounds))))
      (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
