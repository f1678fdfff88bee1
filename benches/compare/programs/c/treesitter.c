/* tree-sitter: an incremental LALR parser with error recovery, here for JavaScript. */
#include "program.h"
#include <stdio.h>
#include "tree_sitter/api.h"

const TSLanguage *tree_sitter_javascript(void);

static uint64_t walk(TSTreeCursor *cursor, uint64_t sum) {
  TSNode node = ts_tree_cursor_current_node(cursor);
  sum = mix(sum, ts_node_symbol(node) * 65536u + ts_node_end_byte(node));
  if (ts_tree_cursor_goto_first_child(cursor)) {
    do sum = walk(cursor, sum); while (ts_tree_cursor_goto_next_sibling(cursor));
    ts_tree_cursor_goto_parent(cursor);
  }
  return sum;
}

EXPORT uint64_t run(uint32_t n) {
  size_t room = n * 400 + 1, len = 0;
  char *source = malloc(room);
  for (uint32_t i = 0; i < n; i++)
    len += (size_t)snprintf(source + len, room - len,
      "class C%u extends Base { constructor(a, b = %u) { super(a); this.x = [a, ...b].map((v) => v * %u + 1); } }\n"
      "async function f%u({a, b}) { for (const k of b) { if (k?.z ?? a > %u) await g(`t${k}`, /re+[x-%c]/gi); else break } return {a, [b]: 1e%u} }%s\n",
      i, i, i * 3, i, i, 'y', i % 9, i % 10 == 7 ? " let = broken(;" : "");
  TSParser *parser = ts_parser_new();
  CHECK(ts_parser_set_language(parser, tree_sitter_javascript()));
  TSTree *tree = ts_parser_parse_string(parser, NULL, source, (uint32_t)len);
  TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(tree));
  uint64_t sum = walk(&cursor, 0);
  ts_tree_cursor_delete(&cursor);
  ts_tree_delete(tree);
  ts_parser_delete(parser);
  free(source);
  return sum;
}
