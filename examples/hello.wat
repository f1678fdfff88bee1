;; The smallest program of WASI preview 1:  sheave run examples/hello.wat
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param $fd i32) (param $iovs i32) (param $count i32) (param $written i32) (result i32)))
  (memory (export "memory") 1)

  ;; One buffer to write: address 8, 15 bytes.
  (data (i32.const 0) "\08\00\00\00\0f\00\00\00")
  (data (i32.const 8) "Hello, sheave!\n")

  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 24)))))
