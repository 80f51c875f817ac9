/* views_sales: what became of a show's places, out of tickets' JSON, for the pages of sales.c. As views.h. */
#pragma once

#include <jansson.h>

#include "arena.h"
#include "templates.h"

struct sales {
    enum sales_per per; /* the length of a step */
    int64_t places, free, held, sold;
    struct price revenue;
    struct sales_area_list areas;
    struct sales_step_list steps; /* oldest first */
    const int64_t *begins;        /* of each */
};
/* zone: of the clocks by which steps are told. */
bool view_sales(const json_t *json, struct str zone, struct arena *arena, struct sales *out);

/* The steps drawn: the slots from the first to the last, also those in which nothing happened. */
void view_sales_charts(const struct sales *sales, struct arena *arena, struct sales_chart_view *out);

/* The numbers as comma-separated values; areas that were counted by step, as tickets has them. */
void view_sales_csv_steps(const json_t *json, struct buf *out);
void view_sales_csv_areas(const json_t *json, struct buf *out);
