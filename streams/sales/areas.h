/* areas: what was counted of the areas of shows, minute by minute, of the tickets of one partition of orders.
 * It follows from the windows (windows.h), and is made of them again after a restart. No I/O; one owner
 * thread. */
#pragma once

#include "windows.h"

struct area_minute {
    uint32_t minute;  /* since 1970 */
    uint16_t last_ms; /* of its newest change, within the minute */
    bool changed, closing;
    struct sums sums;
};

struct area {
    struct uuid id, show;
    char currency[CURRENCY_TEXT];
    struct area_minute *minutes; /* in their order */
    uint32_t nminutes;
    bool listed; /* as changed */
};

struct areas;

struct areas *areas_new(void);
void areas_free(struct areas *as);

/* All windows of a ticket of a show, which were not counted here before. `changed`: their rows are to be
 * published. */
void areas_add_ticket(struct areas *as, const struct ticket *t, bool changed);
/* One change of a ticket of a show. */
void areas_add_sale(struct areas *as, const struct sale *sale);
/* The minutes from `from` and before `until` are closing. */
void areas_close(struct areas *as, uint32_t from, uint32_t until);
/* Each minute that is changed or closing, once; none is then any more. */
void areas_take_changes(struct areas *as,
                        void (*take)(void *arg, const struct area *area, const struct area_minute *m),
                        void *arg);
/* Lets go of the minutes before this one. */
void areas_forget(struct areas *as, uint32_t before);
