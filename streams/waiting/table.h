/* table: things by an id, which they begin with. They belong to the table's owner, who frees them. One
 * thread. */
#pragma once

#include <stdint.h>

#include "uuid.h"

struct table {
    void **slots; /* open addressing: NULL is free */
    uint32_t count, size;
};

void *table_find(const struct table *t, const struct uuid *id); /* NULL: not there */
void table_add(struct table *t, void *thing);                   /* its id is not there yet */
/* The next thing from *at on, or NULL at the end; *at begins with 0. */
void *table_next(const struct table *t, uint32_t *at);
void table_free(struct table *t, void (*free_thing)(void *thing));
