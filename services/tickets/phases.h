/* phases: when the places of a show are sold, and the route that says it. A phase is a stretch of time with a
 * limit a person; phases follow one another. They are kept as one JSON text, the same on the topic, in both
 * databases and in answers. Any of the HTTP threads; the text is in the request's arena. */
#pragma once

#include "body.h"
#include "http.h"

req_handler phases_put;

enum { MOST_PHASES = 20, MOST_PHASE_AREAS = 200 };

struct phase_input {
    struct str name;
    int64_t opens_at, closes_at; /* unix microseconds */
    struct body_list areas;      /* of struct uuid; count is 0: all */
    int64_t per_user;
    bool queue, codes;
};

struct phases_input {
    struct body_list phases; /* of struct phase_input */
};
extern const struct body_field phases_fields[];

/* What is wrong with phases beyond their single fields; NULL: nothing. */
const char *phases_check(const struct phases_input *in, struct arena *arena);
/* As they are kept. An empty list is an empty text. */
struct str phases_text(const struct phases_input *in, struct arena *arena);
