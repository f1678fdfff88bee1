// clang --target=wasm64 -O2 -nostdlib -fno-builtin -DINDEX=long -Wl,--no-entry -Wl,-mwasm64 -o memory64.wasm benches/memory64.c
//
// Run with 32-bit and 64-bit addresses (without -mwasm64 for wasm32), with indices as wide as pointers and not:
// sheave run --invoke run memory64.wasm 20
#define N 20000
#define M 40

static unsigned char sieve[N];
static int a[N];
static double m1[M][M], m2[M][M], m3[M][M];
struct node {
  struct node *next;
  long long v;
  int w;
};
static struct node nodes[2000];

__attribute__((export_name("run"))) int run(int rounds) {
  int sum = 0;
  for (INDEX r = 0; r < rounds; r++) {
    // A sieve of primes.
    for (INDEX i = 0; i < N; i++) sieve[i] = 1;
    for (INDEX i = 2; i * i < N; i++)
      if (sieve[i])
        for (INDEX j = i * i; j < N; j += i) sieve[j] = 0;
    for (INDEX i = 0; i < N; i++) sum += sieve[i];

    // A shell sort of random numbers.
    unsigned x = 12345 + r;
    for (INDEX i = 0; i < N; i++) {
      x ^= x << 13;
      x ^= x >> 17;
      x ^= x << 5;
      a[i] = x;
    }
    for (INDEX g = N / 2; g > 0; g /= 2)
      for (INDEX i = g; i < N; i++) {
        int t = a[i];
        INDEX j = i;
        for (; j >= g && a[j - g] > t; j -= g) a[j] = a[j - g];
        a[j] = t;
      }
    sum += a[N / 3];

    // A product of matrices.
    for (INDEX i = 0; i < M; i++)
      for (INDEX j = 0; j < M; j++) {
        m1[i][j] = i + j;
        m2[i][j] = i - j + r;
      }
    for (INDEX i = 0; i < M; i++)
      for (INDEX j = 0; j < M; j++) {
        double s = 0;
        for (INDEX k = 0; k < M; k++) s += m1[i][k] * m2[k][j];
        m3[i][j] = s;
      }
    sum += (int)m3[7][9];

    // A list.
    for (INDEX i = 0; i < 2000; i++) {
      nodes[i].next = &nodes[(i * 7 + 1) % 2000];
      nodes[i].v = i;
      nodes[i].w = r;
    }
    struct node *n = nodes;
    for (INDEX i = 0; i < 20000; i++) {
      sum += n->v + n->w;
      n->v++;
      n = n->next;
    }
  }
  return sum;
}
