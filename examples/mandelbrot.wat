;; The Mandelbrot set in 256 colours, two points to a character cell:  sheave run examples/mandelbrot.wat
;;
;; A cell is U+2580, the upper half block: its foreground colours the upper point, its background the lower one.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)

  (global $columns i32 (i32.const 96))
  (global $rows i32 (i32.const 64))
  (global $limit i32 (i32.const 400))

  ;; 0: one buffer {address, length}; 8: number of bytes written; 64: colours from outside to inside; 1024: the picture.
  (data (i32.const 64) "\11\12\13\14\15\1b\21\27\2d\33\32\31\30\2f\2e\52\76\9a\be\e2\dc\d6\d0\ca\c4\c5\c6\c7\c9\81\5d\39")
  (global $out (mut i32) (i32.const 1024))

  ;; ---- text ----

  (func $put (param $byte i32)
    (i32.store8 (global.get $out) (local.get $byte))
    (global.set $out (i32.add (global.get $out) (i32.const 1))))

  ;; Puts the lowest bytes of $text, the lowest first, up to a byte of 0.
  (func $put_text (param $text i64)
    (loop $next
      (call $put (i32.wrap_i64 (local.get $text)))
      (local.set $text (i64.shr_u (local.get $text) (i64.const 8)))
      (br_if $next (i64.ne (local.get $text) (i64.const 0)))))

  (func $put_number (param $n i32)
    (if (i32.ge_u (local.get $n) (i32.const 10))
      (then (call $put_number (i32.div_u (local.get $n) (i32.const 10)))))
    (call $put (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10)))))

  ;; ESC [ $ground 8 ; 5 ; $color m, where $ground is 3 (fore) or 4 (back).
  (func $put_color (param $ground i32) (param $color i32)
    (call $put_text (i64.const 0x5b1b))
    (call $put_number (local.get $ground))
    (call $put_text (i64.const 0x3b353b38))
    (call $put_number (local.get $color))
    (call $put (i32.const 109)))

  ;; ---- the set ----

  ;; How many steps z = z² + c takes to leave the circle of radius 2.
  (func $steps (param $cx f64) (param $cy f64) (result i32)
    (local $x f64) (local $y f64) (local $xx f64) (local $yy f64) (local $n i32)
    (loop $again
      (local.set $y (f64.add (f64.mul (f64.mul (f64.const 2) (local.get $x)) (local.get $y)) (local.get $cy)))
      (local.set $x (f64.add (f64.sub (local.get $xx) (local.get $yy)) (local.get $cx)))
      (local.set $xx (f64.mul (local.get $x) (local.get $x)))
      (local.set $yy (f64.mul (local.get $y) (local.get $y)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again
        (i32.and
          (f64.lt (f64.add (local.get $xx) (local.get $yy)) (f64.const 4))
          (i32.lt_u (local.get $n) (global.get $limit)))))
    (local.get $n))

  ;; The colour of a point: black inside, else by the logarithm of its steps.
  (func $color (param $column i32) (param $row i32) (result i32)
    (local $n i32)
    (local.set $n
      (call $steps
        (f64.add (f64.const -2.2) (f64.mul (f64.convert_i32_u (local.get $column)) (f64.const 0.0333)))
        (f64.add (f64.const -1.15) (f64.mul (f64.convert_i32_u (local.get $row)) (f64.const 0.0365)))))
    (if (i32.ge_u (local.get $n) (global.get $limit)) (then (return (i32.const 16))))
    (i32.load8_u offset=64
      (i32.and (i32.const 31)
        (i32.trunc_f64_u (f64.mul (f64.const 2.2) (f64.sqrt (f64.convert_i32_u (local.get $n))))))))

  (func (export "_start")
    (local $row i32) (local $column i32)
    (loop $rows
      (local.set $column (i32.const 0))
      (loop $columns
        (call $put_color (i32.const 3) (call $color (local.get $column) (local.get $row)))
        (call $put_color (i32.const 4) (call $color (local.get $column) (i32.add (local.get $row) (i32.const 1))))
        (call $put_text (i64.const 0x8096e2))
        (local.set $column (i32.add (local.get $column) (i32.const 1)))
        (br_if $columns (i32.lt_u (local.get $column) (global.get $columns))))
      (call $put_text (i64.const 0x0a6d305b1b)) ;; ESC [ 0 m, new line
      (local.set $row (i32.add (local.get $row) (i32.const 2)))
      (br_if $rows (i32.lt_u (local.get $row) (global.get $rows))))
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.sub (global.get $out) (i32.const 1024)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
