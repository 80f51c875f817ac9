/* mem: allocation that cannot fail, a growing buffer, and an arena.
 *
 * Owners: a `buf` belongs to the struct it is embedded in; an `arena` owns everything taken from it and gives
 * it back at once. Running out of memory aborts. Not thread-safe: one owner, one thread at a time. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

void *mem_alloc(size_t size); /* zeroed */
void *mem_grow(void *p, size_t size);
char *mem_strdup(const char *s);

struct buf {
    uint8_t *data;
    size_t len, cap;
};

void buf_reserve(struct buf *b, size_t more); /* room for `more` bytes behind len */
void buf_add(struct buf *b, const void *bytes, size_t n);
/* Grow as the text needs. No NUL that counts is left behind the text. */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_free(struct buf *b);

/* A chain of blocks. With -DARENA_MALLOC (the sanitizer builds) every piece is a malloc of its own, so that
 * ASan sees each object's bounds. */
struct arena {
    struct arena_block *blocks;
};

void *arena_alloc(struct arena *a, size_t size);     /* zeroed, aligned to 16 */
struct str arena_str(struct arena *a, struct str s); /* a terminated copy */
void arena_free(struct arena *a);
