#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* 2 KiB holds the state of nearly every request (measured: a body of a few fields and what its reply needs
 * take under 700 bytes), so the common case is one malloc. */
enum { ARENA_BLOCK = 2048 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(16) uint8_t bytes[];
};

static struct arena_block *new_block(struct arena *a, size_t size) {
    struct arena_block *block = mem_grow(NULL, sizeof *block + size);
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
