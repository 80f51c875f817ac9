/* show_fields: reads and checks what people say of shows and areas. Any thread. */
#pragma once

#include "body.h"
#include "uuid.h"

struct show_input {
    struct str title, venue, city, time_zone, currency; /* currency.n is 0 when it was not given */
    struct str description, organizer;                  /* p is NULL when it was not given */
    int64_t starts_at;                                  /* unix microseconds */
    int64_t per_user;                                   /* 0 when it was not given */
};
extern const struct body_field show_fields[];
/* Readers that phases need, too: an int64_t and a bool. */
body_reader show_per_user, show_flag;

/* Most seats of a row, and places of an area. */
enum { MOST_IN_ROW = 60, MOST_PLACES = 1000000 };

struct area_row {
    struct str name;
    int64_t from, to;
};

struct area_input {
    struct str name;
    int64_t hundredths; /* the price */
    int64_t rank;       /* -1 when it was not given */
    bool accessible;
    struct body_list rows; /* of struct area_row; count is 0 when it was not given */
    int64_t places;        /* likewise 0 */
};
extern const struct body_field area_fields[];

/* What is wrong with an area beyond its single fields, and in which (NULL: none of them); NULL: nothing. Sets
 * places and *blocks. */
const char *area_check(struct area_input *area, int *blocks, const char **field, struct arena *arena);
/* The rows as create_area.sql reads them. */
struct str area_rows_text(const struct area_input *area, struct arena *arena);
