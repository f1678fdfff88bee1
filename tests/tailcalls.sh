#!/usr/bin/env bash
# Fails if a handler of the threaded executor calls another one instead of jumping: native stack would grow with each op.
# A handler may call only named functions (of cold paths), never through a register or a code word.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
case $(uname -m) in x86_64) ;; *) echo "tailcalls: only checked on x86-64"; exit 0 ;; esac
command -v objdump >/dev/null || { echo "tailcalls: no objdump here"; exit 0; }
exe=$(cargo test -p sheave-interp --test run --no-run --message-format=json 2>/dev/null | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)
[ -n "$exe" ] || { echo "tailcalls: the test binary was not built under $target" >&2; exit 1; }
objdump -d --no-show-raw-insn -C "$exe" | awk '
  /^[0-9a-f]+ <.*>:$/ { inside = ($0 ~ /executor::threaded::(h_|cold_)/); if (inside) n++; name = $2 }
  inside && /call[ \t]+\*/ && !/\(%rip\)/ { print "indirect call in " name ": " $0; bad++ }
  END { if (n < 500) { print "only " n " handlers found"; exit 1 }
        if (bad) exit 1; print "tailcalls: " n " handlers, none calls the next" }'
