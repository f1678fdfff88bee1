(module
  (import "host" "add" (func $add (param i32 i32) (result i32)))
  (func (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1)))
  (func (export "out") (param $times i32) (result i32)
    (local $i i32) (local $last i32)
    (block $done
      (loop $again
        (br_if $done (i32.ge_u (local.get $i) (local.get $times)))
        (local.set $last (call $add (local.get $last) (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $again)))
    (local.get $last)))
