/* texts: texts of texts/TAG.txt with something put into them, in the thread's language (language.h); and what
 * services say, in that language. What is returned lives in the arena. */
#pragma once

#include "arena.h"
#include "templates.h"

struct text_hole {
    const char *name; /* {name} in the text */
    struct str value;
};
enum { TEXT_HOLES = 4 };

/* holes: as many as there are, up to one without a name. */
struct str text_fill(struct arena *arena, enum text key, const struct text_hole *holes);
struct str text_number(struct arena *arena, int64_t number);

/* Services say what is wrong in English. Their sentences are the texts api.*, and their names of fields
 * field.*; what is none of these stays as it is. */
struct str text_of_api(struct arena *arena, struct str english);
