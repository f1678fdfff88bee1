// What the system does for the fork of a small store, on its own: cc -O2 benches/fork/calls.c -o calls && ./calls
// Microseconds of processor time, medians of 31 rounds in which the variants alternate.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 31, FORKS = 300, HEAP = 64 << 10, HEAP_ROOM = 2 << 20, MEMORY = 1 << 20, MEMORY_ROOM = 16 << 20, DATA = 100 << 10 };

// open: everything is accessible at once. pages: how many of the heap are written to. file: whether the memory has one mapped.
static const struct { const char *name; int open, pages, file; } VARIANTS[] = {
    {"as it is", 0, 5, 1},
    {"accessible at once", 1, 5, 1},
    {"one page of the heap instead of five", 0, 1, 1},
    {"no file", 0, 5, 0},
};
enum { COUNT = sizeof VARIANTS / sizeof *VARIANTS };

static volatile char sink;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void one(int file, int variant) {
    const int rw = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_NORESERVE, span = HEAP_ROOM + MEMORY_ROOM;
    char *p = mmap(NULL, span, VARIANTS[variant].open ? rw : PROT_NONE, flags | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) abort();
    char *memory = p + HEAP_ROOM;
    if (!VARIANTS[variant].open && (mprotect(p, HEAP, rw) || mprotect(memory, MEMORY, rw))) abort();
    for (int i = 0; i < VARIANTS[variant].pages; i++) p[i * 8192] = 1;
    if (VARIANTS[variant].file && mmap(memory, DATA, rw, flags | MAP_FIXED, file, 0) != memory) abort();
    sink = memory[1024];
    memory[4096] = 1;
    munmap(p, span);
}

static int less(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(void) {
    static char data[DATA];
    static double times[COUNT][ROUNDS];
    memset(data, 1, sizeof data);
    int file = memfd_create("pages", 0);
    if (file < 0 || write(file, data, sizeof data) != sizeof data) abort();
    for (int round = 0; round < ROUNDS; round++)
        for (int v = 0; v < COUNT; v++) {
            double begun = now();
            for (int i = 0; i < FORKS; i++) one(file, v);
            times[v][round] = (now() - begun) / FORKS;
        }
    for (int v = 0; v < COUNT; v++) {
        qsort(times[v], ROUNDS, sizeof(double), less);
        printf("%-40s %6.1f\n", VARIANTS[v].name, times[v][ROUNDS / 2]);
    }
}
