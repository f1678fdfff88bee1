// What was written before a trap is not lost.
#include <unistd.h>

int main(void) {
    write(1, "before", 6);
    __builtin_trap();
}
