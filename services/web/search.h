/* search: what shows are searched by: words, a city, and days, as people say them. On the request's thread.
 */
#pragma once

#include "visit.h"

struct search {
    struct search_view view;
    bool filtered; /* by anything */
    bool placed;   /* by city or day */
};

struct search search_read(struct req *rq, const char *action);
/* Asks tickets for shows, those behind the cursor. */
void search_ask(struct req *rq, const struct search *search, struct str cursor, api_then *then);
/* A link to the page of shows behind the cursor. */
struct str search_next(struct req *rq, const struct search *search, struct str cursor);
/* What is wrong with it, by the answer; empty: nothing. */
struct str search_problem(struct req *rq, const struct api_answer *answer);
