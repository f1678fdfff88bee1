/* The few functions the runner needs, so that it needs no generated bindings of wasm3's structures. */
#include "wasm3.h"
#include "m3_env.h"
#include "m3_exec_defs.h"
#include "m3_exec.h"

/* Calls a function of one i32 parameter, or two, by the runtime's stack; the result is left there. */
const char *shim_call(IM3Function function, uint64_t a, uint64_t b, uint64_t *result) {
  IM3Runtime runtime = function->module->runtime;
  uint64_t *stack = (uint64_t *)runtime->stack;
  stack[0] = a;
  stack[1] = b;
  const char *trap = (const char *)Call(function->compiled, (m3stack_t)stack, runtime->memory.mallocated, d_m3OpDefaultArgs);
  *result = stack[0];
  return trap;
}

/* The host function of the call benches: (a, b) -> a + b, on wasm3's raw interface. */
static const void *add(IM3Runtime runtime, uint64_t *sp, void *mem) {
  *(uint32_t *)&sp[0] = *(uint32_t *)&sp[0] + *(uint32_t *)&sp[1];
  return m3Err_none;
}

const char *shim_link_add(IM3Module module) { return m3_LinkRawFunction(module, "host", "add", "i(ii)", add); }
