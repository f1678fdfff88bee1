/* zlib: deflate at level 6, inflate, compare. */
#include "program.h"
#include "zlib.h"

EXPORT uint64_t run(uint32_t n) {
  uLong len = n * 1000;
  char *input = text(len);
  uLong bound = compressBound(len), back = len;
  Bytef *packed = malloc(bound), *output = malloc(len);
  CHECK(compress2(packed, &bound, (Bytef *)input, len, 6) == Z_OK);
  CHECK(uncompress(output, &back, packed, bound) == Z_OK && back == len && !memcmp(input, output, len));
  uint64_t sum = mix_bytes(bound, packed, bound);
  free(input), free(packed), free(output);
  return sum;
}
