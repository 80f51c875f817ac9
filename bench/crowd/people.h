/* people: who there is, by a file of session tokens, a line each. Its memory stays until the end. Also the
 * text of their requests. One thread. */
#pragma once

#include "uuid.h"

struct person {
    struct uuid id;
    struct str token;
    int64_t since_us; /* when he wanted what he asks for now, by the monotonic clock */
};

/* Exits when the file cannot be read. */
struct person *people_read(const char *path, uint32_t *count);
/* A request of his; key: its Idempotency-Key, body: JSON; each NULL: none. The text is there until the next
 * one is made. */
struct str people_request(const struct person *p, const char *method, const char *path, const char *key,
                          const char *body);
