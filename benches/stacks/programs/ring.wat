;; 1,000 tasks in a ring that switch to each other, `n` times in all.
(module
  (rec (type $task (func (param (ref null $cont)))) (type $cont (cont $task)))
  (type $start (func))
  (type $cstart (cont $start))
  (tag $yield)
  (table $ring 1000 (ref null $cont))
  (global $at (mut i32) (i32.const 0))
  (global $left (mut i64) (i64.const 0))
  (elem declare func $work)
  ;; Where it came from goes to the ring's place that was left; the next place is gone to.
  (func $work (type $task) (param $from (ref null $cont))
    (loop $more
      (table.set $ring (global.get $at) (local.get $from))
      (global.set $at (i32.add (global.get $at) (i32.const 1)))
      (if (i32.eq (global.get $at) (i32.const 1000)) (then (global.set $at (i32.const 0))))
      (global.set $left (i64.sub (global.get $left) (i64.const 1)))
      (if (i64.eqz (global.get $left)) (then (return)))
      (local.set $from (switch $cont $yield (table.get $ring (global.get $at))))
      (br $more)))
  (func (export "run") (param $n i64) (result i64)
    (local $i i32)
    (global.set $left (local.get $n))
    (global.set $at (i32.const 0))
    (loop $fill
      (table.set $ring (local.get $i) (cont.new $cont (ref.func $work)))
      (br_if $fill (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
    (resume $cont (on $yield switch) (ref.null $cont) (cont.new $cont (ref.func $work)))
    (i64.extend_i32_u (global.get $at))))
