;; A string builder: numbers are written as text into an array of bytes that doubles as it fills; every number is a
;; string of its own first. A text of 64 KiB is hashed and dropped.
(module
  (type $bytes (array (mut i8)))
  (type $builder (struct (field $len (mut i32)) (field $buf (mut (ref $bytes)))))

  (func $text (param $x i32) (result (ref $bytes))
    (local $digits i32) (local $rest i32) (local $out (ref $bytes))
    (local.set $rest (local.get $x))
    (loop $count
      (local.set $digits (i32.add (local.get $digits) (i32.const 1)))
      (br_if $count (local.tee $rest (i32.div_u (local.get $rest) (i32.const 10)))))
    (local.set $out (array.new $bytes (i32.const 32) (i32.add (local.get $digits) (i32.const 1))))
    (loop $write
      (local.set $digits (i32.sub (local.get $digits) (i32.const 1)))
      (array.set $bytes (local.get $out) (local.get $digits)
        (i32.add (i32.const 48) (i32.rem_u (local.get $x) (i32.const 10))))
      (local.set $x (i32.div_u (local.get $x) (i32.const 10)))
      (br_if $write (local.get $digits)))
    (local.get $out))

  (func $append (param $b (ref $builder)) (param $s (ref $bytes))
    (local $len i32) (local $end i32) (local $more (ref null $bytes))
    (local.set $len (struct.get $builder $len (local.get $b)))
    (local.set $end (i32.add (local.get $len) (array.len (local.get $s))))
    (if (i32.gt_u (local.get $end) (array.len (struct.get $builder $buf (local.get $b))))
      (then
        (local.set $more (array.new_default $bytes (i32.shl (local.get $end) (i32.const 1))))
        (array.copy $bytes $bytes (ref.as_non_null (local.get $more)) (i32.const 0)
          (struct.get $builder $buf (local.get $b)) (i32.const 0) (local.get $len))
        (struct.set $builder $buf (local.get $b) (ref.as_non_null (local.get $more)))))
    (array.copy $bytes $bytes (struct.get $builder $buf (local.get $b)) (local.get $len)
      (local.get $s) (i32.const 0) (array.len (local.get $s)))
    (struct.set $builder $len (local.get $b) (local.get $end)))

  (func $hash (param $b (ref $builder)) (result i32)
    (local $h i32) (local $i i32) (local $len i32) (local $buf (ref $bytes))
    (local.set $buf (struct.get $builder $buf (local.get $b)))
    (local.set $len (struct.get $builder $len (local.get $b)))
    (loop $each
      (local.set $h (i32.mul (i32.const 16777619)
        (i32.xor (local.get $h) (array.get_u $bytes (local.get $buf) (local.get $i)))))
      (br_if $each (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 16))) (local.get $len))))
    (local.get $h))

  (func $new (result (ref $builder))
    (struct.new $builder (i32.const 0) (array.new_default $bytes (i32.const 16))))

  (func (export "run") (param $n i32) (result i64)
    (local $b (ref $builder)) (local $i i32) (local $h i32)
    (local.set $b (call $new))
    (local.set $n (i32.mul (local.get $n) (i32.const 1000)))
    (loop $each
      (call $append (local.get $b) (call $text (local.get $i)))
      (if (i32.gt_u (struct.get $builder $len (local.get $b)) (i32.const 65536))
        (then
          (local.set $h (i32.add (local.get $h) (call $hash (local.get $b))))
          (local.set $b (call $new))))
      (br_if $each (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (global.set 0 (local.get $h))
    (i64.extend_i32_u (local.get $n)))
  (global (mut i32) (i32.const 0))

  (func (export "keep") (param i32)))
