/* WebP: encode lossy and lossless, decode both. */
#include "program.h"
#include "webp/decode.h"
#include "webp/encode.h"

EXPORT uint64_t run(uint32_t n) {
  int side = (int)n, width, height;
  uint8_t *pixels = malloc((size_t)side * side * 3);
  for (int y = 0; y < side; y++)
    for (int x = 0; x < side; x++) {
      uint8_t *p = pixels + 3 * (y * side + x);
      p[0] = (uint8_t)(x * y / 37), p[1] = (uint8_t)(x + y), p[2] = (uint8_t)((x * x + y * y) / 99);
    }
  uint64_t sum = 0;
  for (int lossless = 0; lossless < 2; lossless++) {
    uint8_t *file = 0;
    size_t size = lossless ? WebPEncodeLosslessRGB(pixels, side, side, side * 3, &file)
                           : WebPEncodeRGB(pixels, side, side, side * 3, 75, &file);
    CHECK(size > 0);
    uint8_t *back = WebPDecodeRGB(file, size, &width, &height);
    CHECK(back && width == side && (!lossless || !memcmp(back, pixels, (size_t)side * side * 3)));
    sum = mix_bytes(mix_bytes(sum, file, size), back, 1000);
    WebPFree(file), WebPFree(back);
  }
  free(pixels);
  return sum;
}
