;; Makes `n` continuations, each of which returns at once.
(module
  (type $body (func (param i64) (result i64)))
  (type $cont (cont $body))
  (elem declare func $double)
  (func $double (param i64) (result i64) (i64.shl (local.get 0) (i64.const 1)))
  (func (export "run") (param $n i64) (result i64)
    (local $i i64) (local $sum i64)
    (loop $more
      (local.set $sum (i64.add (local.get $sum)
        (resume $cont (local.get $i) (cont.new $cont (ref.func $double)))))
      (br_if $more (i64.lt_u (local.tee $i (i64.add (local.get $i) (i64.const 1))) (local.get $n))))
    (local.get $sum)))
