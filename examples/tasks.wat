;; Three tasks that take turns, by stack switching. Run with: sheave run --features stack-switching examples/tasks.wat
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "task a, turn 0\n")

  (type $task (func (param i32)))
  (type $new (cont $task))
  (type $rest (func))
  (type $waiting (cont $rest))
  (tag $pause)
  (table $queue 3 (ref null $waiting))
  (elem declare func $work)

  (func $say (param $task i32) (param $turn i32)
    (i32.store8 (i32.const 21) (i32.add (i32.const 97) (local.get $task)))
    (i32.store8 (i32.const 29) (i32.add (i32.const 48) (local.get $turn)))
    (i32.store (i32.const 0) (i32.const 16))
    (i32.store (i32.const 4) (i32.const 15))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))

  ;; Task 0 has one turn, task 1 two, task 2 three.
  (func $work (param $task i32) (local $turn i32)
    (loop $again
      (call $say (local.get $task) (local.get $turn))
      (suspend $pause)
      (br_if $again (i32.le_u (local.tee $turn (i32.add (local.get $turn) (i32.const 1))) (local.get $task)))))

  (func (export "_start") (local $task i32) (local $left i32)
    (loop $fill
      (table.set $queue (local.get $task)
        (cont.bind $new $waiting (local.get $task) (cont.new $new (ref.func $work))))
      (br_if $fill (i32.lt_u (local.tee $task (i32.add (local.get $task) (i32.const 1))) (i32.const 3))))
    (local.set $left (i32.const 3))
    (loop $next
      (local.set $task (i32.rem_u (i32.add (local.get $task) (i32.const 1)) (i32.const 3)))
      (br_if $next (ref.is_null (table.get $queue (local.get $task))))
      (table.set $queue (local.get $task)
        (block $paused (result (ref null $waiting))
          (resume $waiting (on $pause $paused) (table.get $queue (local.get $task)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (ref.null $waiting)))
      (br_if $next (local.get $left)))))
