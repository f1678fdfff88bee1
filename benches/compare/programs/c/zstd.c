/* Zstandard: compress at level 5, decompress, compare. */
#include "program.h"
#include "zstd.h"

EXPORT uint64_t run(uint32_t n) {
  size_t len = n * 1000;
  char *input = text(len);
  size_t bound = ZSTD_compressBound(len);
  void *packed = malloc(bound);
  char *output = malloc(len);
  size_t size = ZSTD_compress(packed, bound, input, len, 5);
  CHECK(!ZSTD_isError(size));
  CHECK(ZSTD_decompress(output, len, packed, size) == len && !memcmp(input, output, len));
  uint64_t sum = mix_bytes(size, packed, size);
  free(input), free(packed), free(output);
  return sum;
}
