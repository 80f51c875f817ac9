#include "priv/req_priv.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* What each HTTP thread is told: it has a table of its own. */
struct ends {
    struct http_thread *thread;
    int count;
    struct session_end items[];
};

static void on_ends(void *arg) {
    struct ends *ends = arg;
    for (int i = 0; i < ends->count; i++)
        session_cache_end(ends->thread->sessions, &ends->items[i]);
    free(ends);
}

void http_end_sessions(struct http *http, const struct session_end *ends, int count) {
    size_t size = (size_t)count * sizeof *ends;
    for (int i = 0; i < http->nthreads; i++) {
        struct ends *copy = mem_alloc(sizeof *copy + size);
        copy->thread = &http->threads[i];
        copy->count = count;
        memcpy(copy->items, ends, size);
        http_tell(http, i, on_ends, copy);
    }
}
