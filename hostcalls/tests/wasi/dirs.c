// Directories through wasi-libc: listing, links, renaming, and no way out.
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void touch(const char *path) {
    FILE *f = fopen(path, "w");
    assert(f && fputs(path, f) >= 0 && fclose(f) == 0);
}

static int count(const char *path) {
    DIR *d = opendir(path);
    assert(d);
    int n = 0;
    for (struct dirent *e; (e = readdir(d)); n++) {
        struct stat st;
        char full[300];
        snprintf(full, sizeof full, "%s/%s", path, e->d_name);
        if (strcmp(e->d_name, "..") != 0)
            assert(lstat(full, &st) == 0 && st.st_ino == e->d_ino);
    }
    closedir(d);
    return n;
}

int main(void) {
    assert(mkdir("d", 0777) == 0 && mkdir("d", 0777) == -1 && errno == EEXIST);
    for (int i = 0; i < 500; i++) {
        char path[64];
        snprintf(path, sizeof path, "d/a file with a long name, number %d", i);
        touch(path);
    }
    assert(count("d") == 502);
    assert(rmdir("d") == -1 && errno == ENOTEMPTY);
    DIR *d = opendir("d");
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_type == DT_REG)
            assert(unlinkat(dirfd(d), e->d_name, 0) == 0);
    rewinddir(d);
    int left = 0;
    while (readdir(d))
        left++;
    assert(left == 2);
    closedir(d);

    touch("d/x");
    assert(symlink("x", "d/link") == 0 && link("d/x", "d/hard") == 0);
    char buf[16];
    assert(readlink("d/link", buf, sizeof buf) == 1 && buf[0] == 'x');
    struct stat a, b;
    assert(stat("d/link", &a) == 0 && stat("d/hard", &b) == 0 && a.st_ino == b.st_ino);
    assert(lstat("d/link", &a) == 0 && S_ISLNK(a.st_mode) && b.st_nlink == 2);
    assert(rename("d/x", "y") == 0 && stat("d/link", &a) == -1 && errno == ENOENT);
    assert(unlink("d/link") == 0 && unlink("d/hard") == 0 && unlink("d") == -1);
    assert(rmdir("d") == 0 && unlink("y") == 0);

    assert(open("../etc/passwd", O_RDONLY) == -1);
    assert(symlink("../../../../etc/passwd", "out") == 0);
    assert(open("out", O_RDONLY) == -1 && errno == EPERM);
    assert(unlink("out") == 0);
    assert(open("/etc/passwd", O_RDONLY) == -1);
    puts("dirs ok");
}
