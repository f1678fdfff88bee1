/* The few functions the runner needs, so that it needs no generated bindings of wasm3's structures. */
#include "wasm3.h"
#include "m3_env.h"
#include "m3_exec_defs.h"
#include "m3_exec.h"

/* Calls a function of one result and at most two integer parameters by the runtime's stack: results first, then arguments. */
const char *shim_call(IM3Function function, uint64_t a, uint64_t b, uint64_t *result) {
  IM3Runtime runtime = function->module->runtime;
  uint64_t *stack = (uint64_t *)runtime->stack;
  stack[1] = a;
  stack[2] = b;
  const char *trap = (const char *)Call(function->compiled, (m3stack_t)stack, runtime->memory.mallocated, d_m3OpDefaultArgs);
  *result = stack[0];
  return trap;
}

/* The host function of the call benches: (a, b) -> a + b, on wasm3's raw interface. */
static m3ApiRawFunction(add) {
  m3ApiReturnType(uint32_t);
  m3ApiGetArg(uint32_t, a);
  m3ApiGetArg(uint32_t, b);
  m3ApiReturn(a + b);
}

const char *shim_link_add(IM3Module module) { return m3_LinkRawFunction(module, "host", "add", "i(ii)", add); }
