/* form: application/x-www-form-urlencoded text, of bodies and of queries: read and written.
 *
 * A key is all of its text, also in a nested one ("a[b]=7" has the key "a[b]"). No state; any thread. What is
 * decoded lives in the arena given. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "buf.h"
#include "str.h"

enum { FORM_MAX_FIELDS = 256 };

struct form_field {
    struct str key, value;
};

struct form {
    struct form_field *fields; /* in the order they came */
    int count;
};

/* Takes the next field off *rest, still encoded; empty ones ("a=1&&b=2") are passed over. false: there is
 * none. */
bool form_next(struct str *rest, struct form_field *out);

/* All fields of a text; every key and value is text (utf8_valid). NULL, or what is wrong with it ("must be
 * ..."). */
const char *form_read(struct str text, struct form *out, struct arena *arena);
/* The value of the first field of that key. */
bool form_get(const struct form *form, const char *key, struct str *out);

/* Writes a further field. */
void form_put_text(struct buf *out, const char *key, struct str value);
void form_put_int(struct buf *out, const char *key, int64_t value);
