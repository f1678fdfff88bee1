/* The system calls that wasi-libc would import, answered inside the module: the benchmark programs
   touch no files, see one fixed time, and discard what they print, so they need no host at all. */
#include <stdint.h>
#define CALL(name) __imported_wasi_snapshot_preview1_##name
#define NOSYS 52
#define BADF 8

int32_t CALL(fd_write)(int32_t fd, int32_t iovs, int32_t count, int32_t written) {
  const uint32_t *iov = (const uint32_t *)(intptr_t)iovs;
  uint32_t total = 0;
  for (int32_t i = 0; i < count; i++) total += iov[2 * i + 1];
  *(uint32_t *)(intptr_t)written = total;
  return 0;
}
int32_t CALL(clock_time_get)(int32_t id, int64_t precision, int32_t out) {
  *(uint64_t *)(intptr_t)out = 1700000000000000000ull;
  return 0;
}
int32_t CALL(clock_res_get)(int32_t id, int32_t out) {
  *(uint64_t *)(intptr_t)out = 1000;
  return 0;
}
int32_t CALL(environ_sizes_get)(int32_t count, int32_t size) {
  *(uint32_t *)(intptr_t)count = 0;
  *(uint32_t *)(intptr_t)size = 0;
  return 0;
}
int32_t CALL(environ_get)(int32_t a, int32_t b) { return 0; }
int32_t CALL(random_get)(int32_t at, int32_t len) {
  for (int32_t i = 0; i < len; i++) ((uint8_t *)(intptr_t)at)[i] = (uint8_t)(i * 37 + 11);
  return 0;
}
int32_t CALL(sched_yield)(void) { return 0; }
int32_t CALL(fd_renumber)(int32_t a, int32_t b) { return BADF; }
int32_t CALL(fd_close)(int32_t fd) { return BADF; }
int32_t CALL(fd_sync)(int32_t fd) { return BADF; }
int32_t CALL(fd_read)(int32_t fd, int32_t iovs, int32_t count, int32_t out) { return BADF; }
int32_t CALL(fd_seek)(int32_t fd, int64_t to, int32_t whence, int32_t out) { return BADF; }
int32_t CALL(fd_fdstat_get)(int32_t fd, int32_t out) { return BADF; }
int32_t CALL(fd_fdstat_set_flags)(int32_t fd, int32_t flags) { return BADF; }
int32_t CALL(fd_filestat_get)(int32_t fd, int32_t out) { return BADF; }
int32_t CALL(fd_filestat_set_size)(int32_t fd, int64_t size) { return BADF; }
int32_t CALL(fd_filestat_set_times)(int32_t fd, int64_t a, int64_t b, int32_t flags) { return BADF; }
int32_t CALL(fd_prestat_get)(int32_t fd, int32_t out) { return BADF; }
int32_t CALL(fd_prestat_dir_name)(int32_t fd, int32_t at, int32_t len) { return BADF; }
int32_t CALL(fd_readdir)(int32_t fd, int32_t at, int32_t len, int64_t cookie, int32_t out) { return BADF; }
int32_t CALL(path_open)(int32_t fd, int32_t f, int32_t at, int32_t len, int32_t o, int64_t r, int64_t i, int32_t d, int32_t out) { return NOSYS; }
int32_t CALL(path_filestat_get)(int32_t fd, int32_t f, int32_t at, int32_t len, int32_t out) { return NOSYS; }
int32_t CALL(path_filestat_set_times)(int32_t fd, int32_t f, int32_t at, int32_t len, int64_t a, int64_t b, int32_t x) { return NOSYS; }
int32_t CALL(path_create_directory)(int32_t fd, int32_t at, int32_t len) { return NOSYS; }
int32_t CALL(path_remove_directory)(int32_t fd, int32_t at, int32_t len) { return NOSYS; }
int32_t CALL(path_unlink_file)(int32_t fd, int32_t at, int32_t len) { return NOSYS; }
int32_t CALL(path_readlink)(int32_t fd, int32_t at, int32_t len, int32_t b, int32_t n, int32_t out) { return NOSYS; }
int32_t CALL(path_rename)(int32_t fd, int32_t at, int32_t len, int32_t to, int32_t b, int32_t n) { return NOSYS; }
int32_t CALL(poll_oneoff)(int32_t in, int32_t out, int32_t n, int32_t events) { return NOSYS; }
_Noreturn void CALL(proc_exit)(int32_t code) { __builtin_trap(); }
