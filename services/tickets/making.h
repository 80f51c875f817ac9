/* making: makes the tickets of areas, withdraws those of shows that were cancelled, and forgets pictures that
 * nobody needs any more, on a thread of its own with a connection of its own.
 *
 * Where it is stands in the database: each statement does a few thousand tickets and says so in the same
 * transaction. So a process may end at any moment, and any number of replicas work at once. Each looks once
 * a second, and when it is woken. */
#pragma once

#include "status.h"

struct making;
struct making *making_start(const char *database_url);
void making_wake(struct making *making); /* from any thread: there is something to do */
void making_free(struct making *making); /* waits for the statement that runs, and ends the thread */
