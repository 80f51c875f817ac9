/* refused_cards: which cards are not tried again, by their fingerprints. One thread sets them, any may ask.
 */
#pragma once

#include "sql.h"
#include "str.h"

struct refused_cards;

struct refused_cards *refused_cards_new(void);
void refused_cards_free(struct refused_cards *cards);
void refused_cards_set(struct refused_cards *cards, const struct rows *rows); /* a fingerprint each */
bool refused_cards_any(const struct refused_cards *cards);                    /* without a lock */
bool refused_cards_have(struct refused_cards *cards, struct str fingerprint);
