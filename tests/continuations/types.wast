;; Which modules are valid. Numbers are those of docs/continuation-rules.md. Rules 1 to 8.

;; 1. A continuation type is of a function type; forward references are fine within a group.
(module
  (type (func))
  (type (cont 0))
  (rec (type $k (cont $f)) (type $f (func (param (ref null $k)) (result (ref $k)))))
  (type $sub-f (sub (func)))
  (type $sub-k (sub (cont $sub-f)))
  (type $below-f (sub $sub-f (func)))
  (type $below-k (sub $sub-k (cont $below-f)))
  (func (param (ref $below-k)) (result (ref null $sub-k)) (local.get 0))
  (func (param (ref $below-k)) (result contref) (local.get 0))
  (func (param nullcontref) (result (ref null $below-k)) (local.get 0)))
(assert_invalid (module (type (struct)) (type (cont 0))) "non-function type 0")
(assert_invalid (module (type $k (cont $k))) "unknown type")
(assert_invalid (module (rec (type $k (cont $k)))) "non-function type")
(assert_invalid (module (type (cont 5))) "unknown type")
(assert_malformed (module binary "\00asm" "\01\00\00\00" "\01\04\01" "\5d\7f" "\00") "unexpected end")

;; 2. A hierarchy of its own.
(assert_invalid
  (module (func (param contref) (result anyref) (local.get 0))) "type mismatch")
(assert_invalid
  (module (func (param nullcontref) (result funcref) (local.get 0))) "type mismatch")
(assert_invalid
  (module (func (param nullref) (result contref) (local.get 0))) "type mismatch")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f)) (type $g (func (param i32))) (type $l (cont $g))
    (func (param (ref $k)) (result (ref $l)) (local.get 0)))
  "type mismatch")
;; Subtypes are declared, and then of subtypes.
(assert_invalid
  (module
    (type $f (sub (func (result anyref)))) (type $g (sub $f (func (result eqref))))
    (type $k (cont $f)) (type $l (cont $g))
    (func (param (ref $l)) (result (ref $k)) (local.get 0)))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func)) (type $g (func (param i32)))
    (type $k (sub (cont $f))) (type $l (sub $k (cont $g))))
  "sub type must match super type")
(assert_invalid
  (module (type $f (func)) (type $k (cont $f)) (type $l (sub $k (cont $f))))
  "sub type cannot have a final super type")

;; 3. No casts: it is not known what a continuation is.
(assert_invalid
  (module (func (param contref) (result i32) (ref.test (ref null nocont) (local.get 0)))) "invalid cast")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f))
    (func (param contref) (result (ref $k)) (ref.cast (ref $k) (local.get 0))))
  "invalid cast")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f))
    (func (param contref) (block $l (result contref) (br_on_cast $l contref (ref $k) (local.get 0))) (drop)))
  "invalid cast")
(assert_invalid
  (module
    (func (param (ref null cont)) (result i32) (ref.eq (local.get 0) (local.get 0))))
  "type mismatch")

;; 4. cont.new wants a function of the very type or below; cont.bind leaves a suffix of the parameters.
(module
  (type $f (func (param i32 i64 f32) (result f64))) (type $k (cont $f))
  (type $g (func (param f32) (result f64))) (type $l (cont $g))
  (func (param (ref null $f)) (result (ref $k)) (cont.new $k (local.get 0)))
  (func (param (ref null $k)) (result (ref $l)) (cont.bind $k $l (i32.const 1) (i64.const 2) (local.get 0)))
  (func (param (ref null $k)) (result (ref $k)) (cont.bind $k $k (local.get 0))))
;; What is left may be of wider results and narrower parameters: declared nowhere.
(module
  (type $f (func (param i32 anyref) (result (ref i31)))) (type $k (cont $f))
  (type $g (func (param eqref) (result i31ref))) (type $l (cont $g))
  (func (param (ref null $k)) (result (ref $l)) (cont.bind $k $l (i32.const 1) (local.get 0))))
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f)) (func (param funcref) (result (ref $k)) (cont.new $k (local.get 0))))
  "type mismatch")
(assert_invalid
  (module (type $f (func)) (func (param (ref $f)) (drop (cont.new $f (local.get 0))))) "non-continuation type")
(assert_invalid
  (module (type $f (func)) (func (param (ref $f)) (drop (cont.new 7 (local.get 0))))) "unknown type")
(assert_invalid
  (module
    (type $f (func (param i32))) (type $k (cont $f)) (type $g (func (param i32 i32))) (type $l (cont $g))
    (func (param (ref $k)) (result (ref $l)) (cont.bind $k $l (local.get 0))))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func (param i32 i64))) (type $k (cont $f)) (type $g (func (param i32))) (type $l (cont $g))
    (func (param (ref $k)) (result (ref $l)) (cont.bind $k $l (i32.const 1) (local.get 0))))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func (param i32) (result i32))) (type $k (cont $f)) (type $g (func (result i64))) (type $l (cont $g))
    (func (param (ref $k)) (result (ref $l)) (cont.bind $k $l (i32.const 1) (local.get 0))))
  "type mismatch")

;; 5. resume takes the parameters and gives the results; resume_throw takes a tag's parameters, and that has no results.
(assert_invalid
  (module
    (type $f (func (param i32))) (type $k (cont $f)) (func (param (ref $k)) (resume $k (i64.const 1) (local.get 0))))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func (result i32))) (type $k (cont $f)) (func (param (ref $k)) (resume $k (local.get 0))))
  "type mismatch")
(assert_invalid
  (module (type $f (func)) (func (param (ref $f)) (resume $f (local.get 0)))) "non-continuation type")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f)) (tag $e (result i32))
    (func (param (ref $k)) (resume_throw $k $e (local.get 0))))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f)) (tag $e (param i32))
    (func (param (ref $k)) (resume_throw $k $e (i64.const 0) (local.get 0))))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f)) (func (param (ref $k)) (resume_throw_ref $k (local.get 0))))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f))
    (func (param (ref $k) anyref) (resume_throw_ref $k (local.get 1) (local.get 0))))
  "type mismatch")

;; 6. A clause's label takes the payload and, last, a continuation that wants the tag's results and gives the resumption's.
(module
  (type $f (func (result i64))) (type $k (cont $f))
  (type $g (func (param f32) (result i64))) (type $l (cont $g))
  (tag $t (param i32) (result f32))
  ;; Twice the same tag is fine.
  (func (param (ref $k)) (result i64)
    (block $h (result i32 (ref null $l))
      (return (resume $k (on $t $h) (on $t $h) (local.get 0))))
    (unreachable)))
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f)) (tag $t)
    (func (param (ref $k)) (block $h (resume $k (on $t $h) (local.get 0)))))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f)) (tag $t)
    (func (param (ref $k)) (block $h (result contref) (resume $k (on $t $h) (local.get 0)) (ref.null cont)) (drop)))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f)) (tag $t (param i32))
    (func (param (ref $k)) (block $h (result (ref null $k)) (resume $k (on $t $h) (local.get 0)) (ref.null $k)) (drop)))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func (result i32))) (type $k (cont $f)) (tag $t)
    (type $g (func (result i64))) (type $l (cont $g))
    (func (param (ref $k))
      (block $h (result (ref null $l)) (drop (resume $k (on $t $h) (local.get 0))) (ref.null $l)) (drop)))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f)) (tag $t (result i32))
    (func (param (ref $k)) (block $h (result (ref null $k)) (resume $k (on $t $h) (local.get 0)) (ref.null $k)) (drop)))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f)) (tag $t)
    (func (param (ref $k)) (resume $k (on $t 1) (local.get 0))))
  "unknown label")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f)) (tag $t)
    (func (param (ref $k)) (resume $k (on 3 0) (local.get 0))))
  "unknown tag")

;; 7. A tag with results can be suspended with, and is no exception's.
(module
  (tag $t (param i32) (result i64))
  (func (result i64) (suspend $t (i32.const 1))))
(assert_invalid
  (module (tag $t (result i64)) (func (throw $t))) "non-empty tag result type")
(assert_invalid
  (module (tag $t (result i64)) (func (try_table (catch $t 0)))) "non-empty tag result type")
(assert_invalid
  (module (tag $t (param i32)) (func (suspend $t))) "type mismatch")

;; 8. switch: the last parameter is the continuation that was left; the tag has no parameters, and the results of both.
(module
  (rec
    (type $f (func (param i32 (ref null $l)) (result i64))) (type $k (cont $f))
    (type $g (func (param f32) (result i64))) (type $l (cont $g)))
  (tag $t (result i64))
  (func (param (ref null $k)) (result f32) (switch $k $t (i32.const 1) (local.get 0)))
  (func (param (ref $l)) (result i64) (resume $l (on $t switch) (f32.const 1) (local.get 0))))
(assert_invalid
  (module
    (rec (type $f (func (param (ref null $k)))) (type $k (cont $f)))
    (tag $t (param i32))
    (func (param (ref null $k)) (switch $k $t (local.get 0))))
  "type mismatch")
(assert_invalid
  (module
    (rec (type $f (func (param (ref null $k)))) (type $k (cont $f)))
    (tag $t (result i32))
    (func (param (ref null $k)) (switch $k $t (local.get 0))))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func (param i32))) (type $k (cont $f))
    (tag $t)
    (func (param (ref null $k)) (switch $k $t (local.get 0))))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f))
    (tag $t (result i32))
    (func (param (ref null $k)) (resume $k (on $t switch) (local.get 0))))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f))
    (tag $t (param i32))
    (func (param (ref null $k)) (resume $k (on $t switch) (local.get 0))))
  "type mismatch")
