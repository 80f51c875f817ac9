/* db_resolve: looking up the server's name without blocking the loop. getaddrinfo blocks, so each lookup has
 * a thread of its own. The loop's thread and that thread share the lookup; the last one to drop it frees it.
 * All calls from the loop's thread. */
#pragma once

#ifndef DB_PRIV
#error "private to common/db"
#endif

#include <stdbool.h>

#include "status.h"

struct db_resolve;

/* The host name in url that has to be looked up, to be freed; NULL: none (an address, a socket, a list that
 * libpq looks up). */
char *db_resolve_needed(const char *url);
/* Starts looking host up. *fd turns readable when it is done. NULL: no thread or file. */
struct db_resolve *db_resolve_start(const char *host, int *fd);
/* The addresses, and host as often, as libpq takes them: separated by commas. They live with the lookup. */
bool db_resolve_result(struct db_resolve *l, const char **hosts, const char **addresses, struct why *w);
void db_resolve_drop(struct db_resolve *l); /* at any time */
