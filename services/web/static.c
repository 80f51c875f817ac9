#include "static.h"

#include <stdlib.h>

static int compare(const void *wanted, const void *file) {
    const struct str *a = wanted, *b = &((const struct static_file *)file)->path;
    int difference = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);
    return difference != 0 ? difference : (a->n > b->n) - (a->n < b->n);
}

const struct static_file *static_find(struct str path) {
    if (path.n == 0) return NULL;
    return bsearch(&path, static_files, static_count, sizeof *static_files, compare);
}
