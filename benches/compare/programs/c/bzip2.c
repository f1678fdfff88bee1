/* bzip2: block sorting and Huffman codes, both ways. */
#include "program.h"
#include "bzlib.h"

void bz_internal_error(int code) { __builtin_trap(); }

EXPORT uint64_t run(uint32_t n) {
  unsigned len = n * 1000, size = len + len / 100 + 600, back = len;
  char *input = text(len), *packed = malloc(size), *output = malloc(len);
  CHECK(BZ2_bzBuffToBuffCompress(packed, &size, input, len, 2, 0, 0) == BZ_OK);
  CHECK(BZ2_bzBuffToBuffDecompress(output, &back, packed, size, 0, 0) == BZ_OK);
  CHECK(back == len && !memcmp(input, output, len));
  uint64_t sum = mix_bytes(size, packed, size);
  free(input), free(packed), free(output);
  return sum;
}
