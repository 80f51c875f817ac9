/* recent: answers that were made a moment ago: maps of seats, lists of shows. However many people look at
 * one, each HTTP thread asks the database for it about twice a second, and one request waits for it. Only
 * what everybody may see is kept. A thread uses its own part: there are no locks. Times are clock_mono_us().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

struct recent;
struct recent *recent_new(int threads);
void recent_free(struct recent *recent);

struct recent_answer {
    struct str body, link; /* link: of the header, may be empty */
};

enum recent_look {
    RECENT_FOUND,
    RECENT_MISSING, /* or too old: it is for the caller to ask the database, and to put or to drop what comes
                     */
    RECENT_ASKED,   /* another request of this thread asks at this moment: look again soon */
};

/* The answer that this thread (from 0) kept for the key a moment ago, at most 3 s; valid until its next call.
 */
enum recent_look recent_find(struct recent *recent, int thread, struct str key, int64_t now_us,
                             struct recent_answer *out);
void recent_put(struct recent *recent, int thread, struct str key, int64_t now_us,
                struct recent_answer answer); /* copied; one that is too large is dropped */
/* What was asked for is not for everybody: who looks for it next asks himself. */
void recent_drop(struct recent *recent, int thread, struct str key);
