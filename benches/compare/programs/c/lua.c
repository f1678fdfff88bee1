/* Lua 5.4: recursion, tables, strings, closures. Errors end the module, since C has no setjmp here. */
#include "program.h"
#include "lua.h"
#include "lauxlib.h"
#include "lualib.h"

static const char script[] =
  "local n = ...\n"
  "local function fib(n) if n < 2 then return n end return fib(n-1) + fib(n-2) end\n"
  "local t, sum = {}, fib(15)\n"
  "for i = 1, n * 20 do t[i] = (i * 7919) % 1009 end\n"
  "table.sort(t, function(a, b) return a < b end)\n"
  "for i, v in ipairs(t) do sum = (sum * 31 + v * i) % 1000000007 end\n"
  "local parts = {}\n"
  "for i = 1, n * 4 do parts[#parts + 1] = string.format('%d:%s', i, ('x'):rep(i % 7)) end\n"
  "local text = table.concat(parts, ',')\n"
  "for a, b in text:gmatch('(%d+):(x*)') do sum = (sum + tonumber(a) * #b) % 1000000007 end\n"
  "local objects = {}\n"
  "local Class = {} Class.__index = Class function Class:add(k) self.v = self.v + k return self end\n"
  "for i = 1, n * 2 do objects[i] = setmetatable({v = i}, Class):add(i):add(2.5) end\n"
  "for _, o in pairs(objects) do sum = sum + o.v end\n"
  "return math.floor(sum) % 1000000007\n";

EXPORT uint64_t run(uint32_t n) {
  lua_State *L = luaL_newstate();
  luaL_requiref(L, "_G", luaopen_base, 1);
  luaL_requiref(L, "string", luaopen_string, 1);
  luaL_requiref(L, "table", luaopen_table, 1);
  luaL_requiref(L, "math", luaopen_math, 1);
  CHECK(luaL_loadbuffer(L, script, sizeof script - 1, "=script") == LUA_OK);
  lua_pushinteger(L, n);
  lua_call(L, 1, 1);
  uint64_t sum = (uint64_t)lua_tointeger(L, -1);
  lua_close(L);
  return sum;
}
