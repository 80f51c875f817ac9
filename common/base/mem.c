#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p) {
    if (p == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return p;
}

void *mem_alloc(size_t size) {
    return checked(calloc(1, size));
}

void *mem_grow(void *p, size_t size) {
    return checked(realloc(p, size));
}

char *mem_strdup(const char *s) {
    return checked(strdup(s));
}
