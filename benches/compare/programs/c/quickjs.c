/* QuickJS: objects, closures, strings, regular expressions, JSON, typed arrays, exceptions. */
#include "program.h"
#include "quickjs.h"

static const char script[] =
  "(function (n) {\n"
  "  class Point { constructor(x, y) { this.x = x; this.y = y; } add(o) { return new Point(this.x + o.x, this.y + o.y); } }\n"
  "  let p = new Point(0, 0);\n"
  "  for (let i = 0; i < n * 20; i++) p = p.add({ x: i % 7, y: i & 3 });\n"
  "  const words = []; for (let i = 0; i < n * 4; i++) words.push('w' + (i * 7919 % 1009));\n"
  "  const counts = new Map(); for (const w of words) counts.set(w, (counts.get(w) || 0) + 1);\n"
  "  const text = words.sort().map(w => w.toUpperCase()).join(' ');\n"
  "  const hits = text.match(/W\\d*[37]\\b/g).length;\n"
  "  const json = JSON.parse(JSON.stringify({ words, at: { x: p.x, y: p.y }, list: [...counts.entries()] }));\n"
  "  const bytes = new Uint8Array(256); for (let i = 0; i < n * 20; i++) bytes[i & 255] ^= i * 31;\n"
  "  let caught = 0; for (let i = 0; i < n; i++) { try { if (i % 3) throw new Error('no'); } catch (e) { caught += e.message.length; } }\n"
  "  const fib = k => k < 2 ? k : fib(k - 1) + fib(k - 2);\n"
  "  return p.x + p.y * 3 + hits * 5 + json.list.length + bytes.reduce((a, b) => a + b, 0) + caught + fib(12);\n"
  "})";

EXPORT uint64_t run(uint32_t n) {
  JSRuntime *runtime = JS_NewRuntime();
  JS_SetMaxStackSize(runtime, 0);
  JSContext *context = JS_NewContext(runtime);
  JSValue function = JS_Eval(context, script, sizeof script - 1, "script", JS_EVAL_TYPE_GLOBAL);
  CHECK(!JS_IsException(function));
  JSValue argument = JS_NewInt32(context, (int32_t)n);
  JSValue result = JS_Call(context, function, JS_UNDEFINED, 1, &argument);
  CHECK(!JS_IsException(result));
  int64_t sum = 0;
  CHECK(JS_ToInt64(context, &sum, result) == 0);
  JS_FreeValue(context, result);
  JS_FreeValue(context, function);
  JS_FreeContext(context);
  JS_FreeRuntime(runtime);
  return (uint64_t)sum;
}
