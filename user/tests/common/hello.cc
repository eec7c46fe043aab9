// The smallest program with a C library in it: the first one a new kernel can run.
#include <stdio.h>
#include <unistd.h>

int main(int argc, char** argv) {
    printf("hello from process %d:", getpid());
    for (int i = 0; i < argc; i++) printf(" %s", argv[i]);
    printf("\n");
    return 0;
}
