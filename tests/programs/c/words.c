/* Standard input, sorting, heap and formatted output: counts words. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct word { char *text; int count; };

static int more(const void *a, const void *b) {
  const struct word *x = a, *y = b;
  return x->count != y->count ? y->count - x->count : strcmp(x->text, y->text);
}

int main(void) {
  struct word *words = NULL;
  size_t n = 0, room = 0;
  char text[64];
  while (scanf("%63s", text) == 1) {
    for (char *c = text; *c; c++) *c = (char)tolower((unsigned char)*c);
    size_t i = 0;
    while (i < n && strcmp(words[i].text, text)) i++;
    if (i == n) {
      if (n == room) words = realloc(words, (room = room ? 2 * room : 4) * sizeof *words);
      words[n++] = (struct word){strdup(text), 0};
    }
    words[i].count++;
  }
  qsort(words, n, sizeof *words, more);
  for (size_t i = 0; i < n && i < 3; i++) printf("%2d %s\n", words[i].count, words[i].text);
  return 0;
}
