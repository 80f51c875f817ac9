#include "mem.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* 2 KiB holds the state of nearly every request (measured: a ticket's body and its reply's bookkeeping take
 * under 700 bytes), so the common case is one malloc. */
enum { ARENA_BLOCK = 2048 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(16) uint8_t bytes[];
};

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

void buf_reserve(struct buf *b, size_t more) {
    if (b->cap - b->len >= more) return;
    size_t cap = b->cap == 0 ? 256 : b->cap;
    while (cap - b->len < more)
        cap *= 2;
    b->data = mem_grow(b->data, cap);
    b->cap = cap;
}

void buf_add(struct buf *b, const void *bytes, size_t n) {
    if (n == 0) return;
    buf_reserve(b, n);
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    size_t room = b->cap - b->len;
    int n = vsnprintf(room == 0 ? NULL : (char *)b->data + b->len, room, fmt, ap);
    if (n < 0) abort(); /* a format that is none */
    if ((size_t)n >= room) {
        buf_reserve(b, (size_t)n + 1);
        vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    b->len += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_free(struct buf *b) {
    free(b->data);
    *b = (struct buf){0};
}

static struct arena_block *new_block(struct arena *a, size_t size) {
    struct arena_block *block = checked(malloc(sizeof *block + size));
    *block = (struct arena_block){.next = a->blocks, .size = size};
    a->blocks = block;
    return block;
}

void *arena_alloc(struct arena *a, size_t size) {
    size = (size + 15) & ~(size_t)15;
#ifdef ARENA_MALLOC
    struct arena_block *block = new_block(a, size);
#else
    struct arena_block *block = a->blocks;
    if (block == NULL || block->size - block->used < size)
        block = new_block(a, size > ARENA_BLOCK ? size : ARENA_BLOCK);
#endif
    void *p = block->bytes + block->used;
    block->used += size;
    return memset(p, 0, size);
}

struct str arena_str(struct arena *a, struct str s) {
    char *copy = arena_alloc(a, s.n + 1);
    if (s.n > 0) memcpy(copy, s.p, s.n);
    return (struct str){copy, s.n};
}

void arena_free(struct arena *a) {
    while (a->blocks != NULL) {
        struct arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
}
