/* What the C programs share: the export and the checksum. */
#ifndef PROGRAM_H
#define PROGRAM_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((export_name("run")))
#define CHECK(condition) do { if (!(condition)) __builtin_trap(); } while (0)

static inline uint64_t mix(uint64_t sum, uint64_t value) {
  sum = (sum ^ value) * 0x00000100000001B3ull;
  return (sum << 17) | (sum >> 47);
}

static inline uint64_t mix_bytes(uint64_t sum, const void *at, size_t len) {
  const uint8_t *bytes = at;
  for (size_t i = 0; i < len; i++) sum = mix(sum, bytes[i]);
  return sum;
}

/* English-like text, always the same. */
static inline char *text(size_t len) {
  static const char *words[] = {"the ", "of ", "store ", "memory ", "value, ", "engine ", "function ", "is ", "that ", "table. ",
    "module ", "instance ", "frame ", "slot ", "stack ", "call ", "return.\n", "branch ", "loop ", "number "};
  char *out = malloc(len + 16);
  size_t at = 0;
  uint32_t x = 12345;
  while (at < len) {
    x = x * 1664525u + 1013904223u;
    const char *word = words[(x >> 16) % 20 * ((x >> 8) % 20) / 20];
    size_t n = strlen(word);
    memcpy(out + at, word, n);
    at += n;
  }
  out[len] = 0;
  return out;
}
#endif
