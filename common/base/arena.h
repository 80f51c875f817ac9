/* arena: memory that is taken in pieces and freed all at once. Part of its owner's struct; one thread at a
 * time. */
#pragma once

#include <stddef.h>

#include "str.h"

/* A chain of blocks. With -DARENA_MALLOC (the sanitizer builds) every piece is a malloc of its own, so that
 * ASan sees each object's bounds. */
struct arena {
    struct arena_block *blocks;
};

void *arena_alloc(struct arena *a, size_t size);     /* zeroed, aligned to 16 */
struct str arena_str(struct arena *a, struct str s); /* a terminated copy */
void arena_free(struct arena *a);
