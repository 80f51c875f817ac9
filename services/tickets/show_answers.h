/* show_answers: what the routes of shows and those of areas have in common. Any of the HTTP threads. */
#pragma once

#include "http.h"

/* Answers for what is wrong with a show or with who asks; false: the verdict is none of these. */
bool shows_fail(struct req *rq, struct str verdict);
/* Who is signed in, or null. */
void shows_put_viewer(struct req *rq, struct sql_params *item);

/* The columns of an area, from wherever they begin. */
enum area_column {
    AREA_ID,
    AREA_NAME,
    AREA_PRICE,
    AREA_CURRENCY,
    AREA_SEATED,
    AREA_ACCESSIBLE,
    AREA_RANK,
    AREA_PLACES,
    AREA_MADE,
    AREA_KNOWN,
    AREA_FREE
};
void areas_write(struct json *out, const struct rows *rows, int row, int first);
