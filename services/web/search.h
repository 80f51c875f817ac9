/* search: what shows and people's tickets are searched by: words, a city, and days, as people say them. On
 * the request's thread.
 */
#pragma once

#include "visit.h"

struct search {
    struct search_view view;
    bool filtered; /* by anything */
    bool sorted;   /* by date, because that was asked for */
    bool by_date;  /* people's tickets are, where nothing is searched for by city or day, too */
};

struct search search_read(struct req *rq, const char *action);
/* Asks tickets for what is found: /api/shows or /api/tickets, behind the cursor. */
void search_ask(struct req *rq, const struct search *search, const char *path, struct str cursor,
                api_then *then);
/* A link to the page behind the cursor. */
struct str search_next(struct req *rq, const struct search *search, const char *path, struct str cursor);
/* A link to the same in the other order; empty: there is none, as cities and days are looked for by date. */
struct str search_other_order(struct req *rq, const struct search *search);
/* What is wrong with it, by the answer; empty: nothing. */
struct str search_problem(struct req *rq, const struct api_answer *answer);
