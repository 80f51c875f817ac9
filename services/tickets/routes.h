/* routes: the HTTP side of tickets, as a table. */
#pragma once

#include "http.h"

struct tickets {
    const char *currency; /* of new tickets, ISO 4217; its prices have two decimals */
};

extern const struct route tickets_routes[];
