/* cors: the other origins whose pages may call the API from a browser and read what it answers (CORS).
 *
 * Read from the setting CORS_ORIGINS at the start, never changed afterwards: any thread may look. */
#pragma once

#include <stdbool.h>

#include "status.h"
#include "str.h"

struct cors {
    struct str
        *origins; /* as browsers write them: https://shop.example, with a port if it is not the usual */
    int count;    /* 0: off */
};

/* list: origins, separated by commas; NULL or "": none. */
enum status cors_parse(const char *list, struct cors *out, struct why *w);
void cors_free(struct cors *c);
bool cors_allows(const struct cors *c, struct str origin);
