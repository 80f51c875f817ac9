#include "wheel_entries.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Memory comes by huge pages, but the first, so that a wheel with little in it is small: reaching a timer
 * among millions is a cache miss or two, and with small pages a miss of the TLB on top. */
enum { GRANT = 2 << 20, GRANT_ENTRIES = GRANT / sizeof(struct entry) };

/* 64 GiB of addresses, without memory behind them. */
#define RESERVED_ENTRIES (UINT32_C(1) << 30)
#define RESERVED_BYTES   ((size_t)RESERVED_ENTRIES * sizeof(struct entry) + GRANT)

_Static_assert((int)ENTRIES_HEADS < (int)GRANT_ENTRIES, "the heads are in what always stays");

static void fatal(const char *what) {
    perror(what);
    abort();
}

void wheel_entries_init(struct entries *e) {
    void *p = mmap(NULL, RESERVED_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) fatal("wheel: reserving addresses");
    uintptr_t aligned = ((uintptr_t)p + GRANT - 1) & ~(uintptr_t)(GRANT - 1);
    *e = (struct entries){.at = (struct entry *)aligned, .used = ENTRIES_HEADS, .reserved = p};
    wheel_entries_grow(e);
}

void wheel_entries_free(struct entries *e) {
    munmap(e->reserved, RESERVED_BYTES);
    *e = (struct entries){0};
}

size_t wheel_entries_bytes(const struct entries *e) {
    return (size_t)e->granted * sizeof(struct entry);
}

void wheel_entries_grow(struct entries *e) {
    struct entry *more = &e->at[e->granted];
    if (e->granted >= RESERVED_ENTRIES || mprotect(more, GRANT, PROT_READ | PROT_WRITE) != 0)
        fatal("wheel: out of memory");
    if (e->granted > 0) madvise(more, GRANT, MADV_HUGEPAGE); /* refused: small pages will do */
    e->granted += GRANT_ENTRIES;
}

void wheel_entries_shrink(struct entries *e) {
    struct entry *first = &e->at[GRANT_ENTRIES];
    size_t bytes = wheel_entries_bytes(e) - GRANT;
    if (bytes > 0 && (madvise(first, bytes, MADV_DONTNEED) != 0 || mprotect(first, bytes, PROT_NONE) != 0))
        fatal("wheel: giving memory back");
    e->granted = GRANT_ENTRIES;
    e->used = ENTRIES_HEADS;
    e->free = 0;
}
