// Files through wasi-libc: stdio, positions, appending, metadata, times.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void buffered(void) {
    FILE *f = fopen("text.txt", "w");
    assert(f);
    for (int i = 0; i < 10000; i++)
        fprintf(f, "line %d\n", i);
    assert(fclose(f) == 0);
    f = fopen("text.txt", "r");
    assert(f);
    char line[64], want[64];
    for (int i = 0; i < 10000; i++) {
        sprintf(want, "line %d\n", i);
        assert(fgets(line, sizeof line, f) && strcmp(line, want) == 0);
    }
    assert(!fgets(line, sizeof line, f) && feof(f));
    assert(fseek(f, -10, SEEK_END) == 0 && fgets(line, sizeof line, f));
    assert(strcmp(line, "line 9999\n") == 0);
    fclose(f);
}

static void raw(void) {
    int fd = open("raw.bin", O_RDWR | O_CREAT | O_EXCL, 0644);
    assert(fd > 2);
    assert(open("raw.bin", O_RDWR | O_CREAT | O_EXCL, 0644) == -1 && errno == EEXIST);
    assert(write(fd, "0123456789", 10) == 10);
    assert(pwrite(fd, "AB", 2, 4) == 2);
    char buf[16] = {0};
    assert(pread(fd, buf, 4, 3) == 4 && memcmp(buf, "3AB6", 4) == 0);
    assert(lseek(fd, 0, SEEK_CUR) == 10 && lseek(fd, -3, SEEK_END) == 7);
    assert(ftruncate(fd, 5) == 0);
    struct stat st;
    assert(fstat(fd, &st) == 0 && st.st_size == 5 && S_ISREG(st.st_mode) && st.st_nlink == 1);
    assert(posix_fallocate(fd, 0, 100) == 0 && fstat(fd, &st) == 0 && st.st_size == 100);
    assert(fsync(fd) == 0 && fdatasync(fd) == 0);
    struct timespec times[2] = {{1000, 1}, {2000, 2}};
    assert(futimens(fd, times) == 0 && fstat(fd, &st) == 0);
    assert(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 2);
    assert(fcntl(fd, F_SETFL, O_APPEND) == 0 && (fcntl(fd, F_GETFL) & O_APPEND));
    assert(lseek(fd, 0, SEEK_SET) == 0 && write(fd, "end", 3) == 3);
    assert(pread(fd, buf, 3, 100) == 3 && memcmp(buf, "end", 3) == 0);
    assert(close(fd) == 0 && close(fd) == -1 && errno == EBADF);
    fd = open("raw.bin", O_RDONLY);
    assert(write(fd, "x", 1) == -1 && errno == EBADF);
    assert(close(fd) == 0);
    assert(open("raw.bin/", O_RDONLY) == -1 && errno == ENOTDIR);
    assert(open("nothing", O_RDONLY) == -1 && errno == ENOENT);
    assert(unlink("raw.bin") == 0 && access("raw.bin", F_OK) == -1);
}

int main(void) {
    buffered();
    raw();
    assert(!isatty(1));
    puts("files ok");
}
