;; A generator of `n` values: one suspend and one resume each.
(module
  (type $body (func (param i64)))
  (type $next (func))
  (type $cbody (cont $body))
  (type $cnext (cont $next))
  (tag $yield (param i64))
  (elem declare func $count)
  (func $count (param $n i64)
    (local $i i64)
    (loop $more
      (suspend $yield (local.get $i))
      (br_if $more (i64.lt_u (local.tee $i (i64.add (local.get $i) (i64.const 1))) (local.get $n)))))
  (func (export "run") (param $n i64) (result i64)
    (local $sum i64) (local $c (ref null $cnext))
    (local.set $c (cont.bind $cbody $cnext (local.get $n) (cont.new $cbody (ref.func $count))))
    (loop $more
      (block $on (result i64 (ref $cnext))
        (resume $cnext (on $yield $on) (local.get $c))
        (return (local.get $sum)))
      (local.set $c)
      (local.set $sum (i64.add (local.get $sum)))
      (br $more))
    (unreachable)))
