/* stock: how many places of a show are left, from the topics `stock` (how many there are) and `orders` (which
 * are taken). A bit a place, so an order that is read again changes nothing. It is a hint for how many may
 * come in: orders has the last word. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "table.h"

struct stock {
    struct table areas, shows;
};

void stock_free(struct stock *s);
/* accessible: kept for people who need that, so never left for others. */
void stock_area(struct stock *s, const struct uuid *area, const struct uuid *show, int32_t places,
                bool accessible);
/* An order of a ticket that is a place of a show: whether it holds or has bought it now. false: that was
 * known.
 */
bool stock_order(struct stock *s, const struct uuid *ticket, const struct uuid *show, bool taken);
/* Left of these areas of a show; of all without any. -1: not known, as long as less than all `places` of the
 * show are: it may be read before its stock is. */
int64_t stock_left(const struct stock *s, const struct uuid *show, int32_t places, const struct uuid *areas,
                   int nareas);
