;; Makes `n` continuations, suspends each once and drops it.
(module
  (type $body (func (param i64)))
  (type $cbody (cont $body))
  (type $rest (func))
  (type $crest (cont $rest))
  (tag $wait)
  (elem declare func $task)
  (func $task (param $i i64) (suspend $wait))
  (func (export "run") (param $n i64) (result i64)
    (local $i i64)
    (loop $make
      (block $on (result (ref $crest))
        (resume $cbody (on $wait $on) (local.get $i) (cont.new $cbody (ref.func $task)))
        (unreachable))
      (drop)
      (br_if $make (i64.lt_u (local.tee $i (i64.add (local.get $i) (i64.const 1))) (local.get $n))))
    (local.get $i)))
