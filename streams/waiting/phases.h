/* phases: which phases of a show are sold by a queue, from the topic `shows`. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "str.h"
#include "uuid.h"

struct phase {
    int64_t opens_us, closes_us;
    struct uuid *areas; /* only these are sold; none: all */
    int nareas;
    int per_user; /* places of the show that one person can have */
    bool codes;   /* whoever joins needs a code */
};

struct phases {
    struct phase *items; /* those with a queue, in the order of their times */
    int count;
};

/* text: as the schema of shows says. What is not of that form is left out. */
void phases_read(struct phases *p, struct str text);
void phases_free(struct phases *p);
/* The one that is open, or else the next; NULL: none comes. */
const struct phase *phases_next(const struct phases *p, int64_t now_us);
/* The one after that; NULL: none, also after none. */
const struct phase *phases_after(const struct phases *p, const struct phase *one);
