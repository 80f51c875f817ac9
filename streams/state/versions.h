/* versions: the highest version of each id that was seen lately. No I/O; one owner thread.
 *
 * Two tables by id. After keep_ms the older one goes, and a new one begins: what was raised in the last
 * keep_ms is known, what was not for twice as long is forgotten. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uuid.h"

struct versions;

struct versions *versions_new(int64_t keep_ms);
void versions_free(struct versions *v); /* NULL is fine */

/* Whether the version, at least 1, is higher than what is known of the id. Then it is known from now on. */
bool versions_raise(struct versions *v, const struct uuid *id, int32_t version, int64_t now_ms);

size_t versions_count(const struct versions *v); /* ids, some twice */
size_t versions_bytes(const struct versions *v);
