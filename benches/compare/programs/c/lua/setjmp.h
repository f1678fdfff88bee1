/* Lua includes this; the programs never throw, so there is nothing to jump with. */
