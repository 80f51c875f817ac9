/* mem: allocation that cannot fail: running out of memory aborts. Any thread; free() gives it back. */
#pragma once

#include <stddef.h>

void *mem_alloc(size_t size); /* zeroed */
void *mem_grow(void *p, size_t size);
char *mem_strdup(const char *s);
