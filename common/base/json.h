/* json: writes JSON into a buf. (Reading is jansson's.)
 *
 * The writer adds the commas. Strings are escaped; invalid UTF-8 becomes U+FFFD. A struct json belongs to one
 * thread at a time; its owner frees `out`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "str.h"
#include "uuid.h"

struct json {
    struct buf out;
    bool comma; /* the next value needs one before it */
};

void json_open(struct json *j, char bracket);   /* '{' or '[' */
void json_close(struct json *j, char bracket);  /* '}' or ']' */
void json_key(struct json *j, const char *key); /* key is a plain literal */
void json_text(struct json *j, struct str v);
void json_uuid(struct json *j, const struct uuid *v);
void json_int(struct json *j, int64_t v);
void json_bool(struct json *j, bool v);
void json_nil(struct json *j);                                /* null; json_null is jansson's */
void json_minor(struct json *j, int64_t minor, int decimals); /* 2050, 2 -> 20.5; a number, shortest form */
void json_time(struct json *j, int64_t unix_us);              /* "2026-11-21T03:19:31.123Z" */
void json_raw(struct json *j, struct str v);

/* A member of an object: its key and its value. */
void json_put_text(struct json *j, const char *key, struct str v);
void json_put_uuid(struct json *j, const char *key, struct uuid v);
void json_put_int(struct json *j, const char *key, int64_t v);
