// Arguments, environment, clocks, random bytes, standard streams, the end.
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        printf("arg %d: %s\n", i, argv[i]);
    printf("KEY=%s NONE=%d\n", getenv("KEY"), getenv("NONE") != NULL);
    char line[64];
    while (fgets(line, sizeof line, stdin))
        printf("in: %s", line);

    struct timespec a, b, nap = {0, 5000000};
    assert(clock_gettime(CLOCK_MONOTONIC, &a) == 0);
    assert(nanosleep(&nap, NULL) == 0);
    assert(clock_gettime(CLOCK_MONOTONIC, &b) == 0);
    assert((b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec >= 5000000);
    assert(time(NULL) > 1600000000 && clock_getres(CLOCK_REALTIME, &a) == 0);
    struct pollfd fds[2] = {{1, POLLOUT, 0}, {99, POLLIN, 0}};
    assert(poll(fds, 2, 1000) == 2 && (fds[0].revents & POLLOUT) && (fds[1].revents & POLLNVAL));
    unsigned char random[64] = {0};
    assert(getentropy(random, sizeof random) == 0);
    int zeros = 0;
    for (unsigned i = 0; i < sizeof random; i++)
        zeros += random[i] == 0;
    assert(zeros < 16);
    sched_yield();
    fprintf(stderr, "to stderr\n");
    fputs("no newline at the end", stdout);
    exit(42);
}
