/* lists: what the lists of tickets and of shows read of their query strings alike. On the request's thread.
 */
#pragma once

#include "http.h"

struct list_filter {
    bool mine;
    struct str q, city, from, to, sort; /* empty: not asked for */
};

/* `q` and `city`, trimmed. false: answered. */
bool lists_words(struct req *rq, struct list_filter *filter);
/* For a comparison with ILIKE; empty: `q` was not asked for. In the request's arena. */
struct str lists_pattern(struct req *rq, const struct list_filter *filter);
/* `mine`, which needs a session: without one the answer is `refusal`. false: answered. */
bool lists_mine(struct req *rq, const char *refusal, bool *mine);
/* What a link to the next page says beyond where it begins. In the request's arena. */
struct str lists_query(struct req *rq, const struct list_filter *filter);
