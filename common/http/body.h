/* body: reads a JSON request body by a table of fields, reporting all of its errors at once.
 *
 *     static const struct body_field new_thing_fields[] = {
 *         {"title", body_title, offsetof(struct new_thing, title), true},
 *         {"price", body_price, offsetof(struct new_thing, price), true},
 *         {0},
 *     };
 *     struct new_thing t = {0};
 *     if (!req_body(rq, new_thing_fields, &t)) return;   // answered 400
 *
 * A reader gets the value and the place to store it, and returns NULL or a message for people ("must be
 * ...", to which errors.h adds the field's name). Every number comes as a real (json_number_value). Unknown
 * fields are ignored; a missing or null required field is "is required"; a missing optional one is left as it
 * was. Stored strs live in the arena. No state; any thread. */
#pragma once

#include <jansson.h>

#include "arena.h"
#include "str.h"

typedef const char *body_reader(const json_t *value, void *out, struct arena *arena);

enum body_need {
    BODY_OPTIONAL = false,
    BODY_REQUIRED = true,
    BODY_OR_NEXT, /* required where the next field of the table is not given */
};

struct body_field {
    const char *name;
    body_reader *read;
    size_t offset;
    enum body_need need; /* or a bool */
};

struct body_error {
    const char *field; /* NULL: the body as a whole */
    const char *message;
};

enum { BODY_MAX_ERRORS = 16 };

/* Parses text (UTF-8 checked, duplicate keys, NUL in strings and nesting over 32 refused) into out. An empty
 * text counts as {}. Returns the number of errors. */
int body_read(struct str text, const struct body_field *fields, void *out, struct arena *arena,
              struct body_error errors[BODY_MAX_ERRORS]);

/* Readers that more than one service needs. */
body_reader body_text; /* struct str: any string */
body_reader body_uuid; /* struct uuid */

/* For readers of lists: an array of 1 to `most` objects, each read by `fields` into `size` bytes. They lie
 * one behind the other in the arena, and *out tells where. */
struct body_list {
    void *items;
    int count;
};
const char *body_objects(const json_t *value, const struct body_field *fields, size_t size, int most,
                         struct body_list *out, struct arena *arena);
/* For readers of numbers: a whole one within these; false: it is not. */
bool body_whole(const json_t *value, int64_t least, int64_t most, int64_t *out);
/* A message for people that has to be put together. In the arena. */
const char *body_message(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
