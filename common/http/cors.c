#include "cors.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

bool cors_allows(const struct cors *c, struct str origin) {
    for (int i = 0; i < c->count; i++)
        if (str_eq(c->origins[i], origin)) return true;
    return false;
}

/* Browsers write an origin in lower case and without a path. "*" and "null" are none: anybody has these. */
static bool is_origin(const char *text) {
    const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
                       : strncmp(text, "http://", 7) == 0 ? text + 7
                                                          : "";
    for (const char *p = host; *p != '\0'; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && strchr(".-:[]", *p) == NULL)
            return false;
    return *host != '\0';
}

enum status cors_parse(const char *list, struct cors *out, struct why *w) {
    *out = (struct cors){0};
    if (list == NULL) return ST_OK;
    char *copy = mem_strdup(list), *rest = copy;
    enum status st = ST_OK;
    for (char *item; st == ST_OK && (item = strsep(&rest, ", ")) != NULL;) {
        if (*item == '\0') continue;
        if (!is_origin(item)) {
            st = why(w, ST_INVALID, "must be origins like https://shop.example, got \"%.100s\"", item);
            break;
        }
        out->origins = mem_grow(out->origins, (size_t)(out->count + 1) * sizeof *out->origins);
        out->origins[out->count++] = str_of(mem_strdup(item));
    }
    free(copy);
    if (st != ST_OK) cors_free(out);
    return st;
}

void cors_free(struct cors *c) {
    for (int i = 0; i < c->count; i++)
        free((char *)c->origins[i].p);
    free(c->origins);
    *c = (struct cors){0};
}
