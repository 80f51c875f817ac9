/* shows: the routes of shows and of their areas. Any of the HTTP threads. */
#pragma once

#include "http.h"

req_handler shows_list, shows_get, shows_post, shows_put, shows_delete, shows_announce;
req_handler areas_post, areas_get_seats;

/* Answers for what is wrong with a show or with who asks; false: the verdict is none of these. */
bool shows_fail(struct req *rq, struct str verdict);
/* An area by the columns from `first` on: id, name, price, currency, seated, accessible, rank, places, made,
 * known, free. */
void areas_write(struct json *out, const struct rows *rows, int row, int first);
/* Who is signed in, or null. */
void shows_put_viewer(struct req *rq, struct sql_params *item);
