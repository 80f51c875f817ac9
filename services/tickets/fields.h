/* fields: reads and checks a ticket's title, price, date and place, and the other inputs of a request. Any
 * thread, after fields_use_currency. */
#pragma once

#include "arena.h"
#include "body.h"
#include "str.h"
#include "uuid.h"

struct ticket_input {
    struct str title; /* trimmed */
    int64_t price;    /* minor units */
    struct str date;  /* 2027-06-01; this and the next two are empty where they are not given */
    struct str venue, city;
};

/* Prices are in this currency, which has two decimals or none. Before ticket_fields is used. */
void fields_use_currency(struct str code);
extern const struct body_field ticket_fields[];

enum { FIELDS_NAME_MAX = 120, FIELDS_CITY_MAX = 80 }; /* of a venue, a city; in characters */

#define FIELDS_PRICE_TWO_DECIMALS "must be a price from 0.50 to 999,999.99 with at most two decimals"
#define FIELDS_PRICE_NO_DECIMALS  "must be a price from 50 to 99,999,999 without decimals"
#define FIELDS_PRICE_ANY_DECIMALS "must be a price from 0.50 to 99,999,999 with at most two decimals"

/* For readers of short texts: one of 1 to `most` characters, trimmed, into a struct str. */
const char *fields_name(const json_t *value, int most, void *out, struct arena *arena);
/* The same, and an empty one is none. */
const char *fields_optional_name(const json_t *value, int most, void *out, struct arena *arena);
/* int64_t: a price of a currency that is not known yet, in hundredths of its unit, whether it has such or
 * not. */
body_reader fields_hundredths;

/* The version an If-Match asks for: `"3"` or `3`. `*` is any version: -1. false: not a version. */
bool fields_parse_if_match(struct str header, int32_t *version);

/* A date alone, like 2027-06-01: its begin in UTC. false: it is none. */
bool fields_day(struct str s, int64_t *us);

/* An ILIKE pattern that finds q anywhere, with the pattern characters of q taken as themselves. */
struct str fields_ilike_pattern(struct arena *arena, struct str q);
struct str fields_trim(struct str s); /* without Unicode white space at both ends */
