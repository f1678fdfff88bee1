;; A guest that never ends by itself: `sheave run --timeout 300ms examples/forever.wat` or `--fuel 1000000` ends it.
(module
  (func $spin (export "_start")
    (loop $again
      (br $again))))
