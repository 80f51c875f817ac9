/* show_answers: what the routes of shows and those of areas have in common. Any of the HTTP threads. */
#pragma once

#include "http.h"

/* Answers for what is wrong with a show or with who asks; false: the verdict is none of these. */
bool shows_fail(struct req *rq, struct str verdict);
/* Who is signed in, or null. */
void shows_put_viewer(struct req *rq, struct sql_params *item);

/* Every statement about shows gives a show's columns in this order, behind `ordinal`. */
enum show_column {
    SHOW_ORDINAL,
    SHOW_ID,
    SHOW_TITLE,
    SHOW_VENUE,
    SHOW_CITY,
    SHOW_STARTS_AT,
    SHOW_TIME_ZONE,
    SHOW_DESCRIPTION,
    SHOW_CURRENCY,
    SHOW_STATUS,
    SHOW_PER_USER,
    SHOW_USER,
    SHOW_VERSION,
    SHOW_PHASES,
    SHOW_PICTURE,
    SHOW_ORGANIZER,
    SHOW_VERDICT,
    SHOW_AREA = SHOW_VERDICT, /* of get_show */
    SHOW_PLACES,              /* this and the next two: of announce_show */
    SHOW_MADE,
    SHOW_KNOWN,
    SHOW_FROM_PRICE = SHOW_VERDICT, /* this and what follows: of lists; null where nothing is free */
    SHOW_FREE,
    SHOW_ALL_PLACES,
    SHOW_PHASED,
    SHOW_OPENS_AT, /* null: without phases, or all are over */
};
/* The members of a show; the caller opens and closes the object. */
void shows_write(struct json *out, const struct rows *rows, int row);
void shows_reply(struct req *rq, int status, const struct rows *rows);

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
