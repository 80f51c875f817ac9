/* routes: the HTTP side of tickets, as a table; shows.h has its part about shows. */
#pragma once

#include "http.h"

struct codes;
struct making;
struct picture_reads;
struct pictures;
struct recent;

struct tickets {
    const char *currency; /* of new tickets, ISO 4217; its prices have two decimals */
    struct making *making;
    struct recent *recent;
    struct pictures *pictures;
    int64_t pictures_a_day; /* most that an account sends */
    struct picture_reads *picture_reads;
    struct codes *codes;
};

extern const struct route tickets_routes[];
