;; The first `n` primes: a generator of numbers, then a filter, a generator too, for each prime that was found.
(module
  (type $body (func))
  (type $cbody (cont $body))
  (type $filter (func (param i64 (ref null $cbody))))
  (type $cfilter (cont $filter))
  (tag $number (param i64))
  (elem declare func $numbers $without)
  (func $numbers
    (local $i i64)
    (local.set $i (i64.const 2))
    (loop $more
      (suspend $number (local.get $i))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br $more)))
  (func $without (param $prime i64) (param $from (ref null $cbody))
    (local $i i64)
    (loop $more
      (block $on (result i64 (ref $cbody))
        (resume $cbody (on $number $on) (local.get $from))
        (return))
      (local.set $from)
      (local.set $i)
      (if (i64.ne (i64.rem_u (local.get $i) (local.get $prime)) (i64.const 0))
        (then (suspend $number (local.get $i))))
      (br $more)))
  (func (export "run") (param $n i64) (result i64)
    (local $from (ref null $cbody)) (local $prime i64)
    (local.set $from (cont.new $cbody (ref.func $numbers)))
    (loop $more
      (block $on (result i64 (ref $cbody))
        (resume $cbody (on $number $on) (local.get $from))
        (unreachable))
      (local.set $from)
      (local.set $prime)
      (local.set $from
        (cont.bind $cfilter $cbody (local.get $prime) (local.get $from) (cont.new $cfilter (ref.func $without))))
      (br_if $more (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
    (local.get $prime)))
