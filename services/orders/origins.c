#include "origins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "routes.h"

enum { CROWDED_S = 60, MINUTE_S = 60 };

void origins_put(struct req *rq, struct sql_params *item) {
    const struct orders *service = req_service(rq);
    if (service->network_most > 0)
        req_put_network(rq, item);
    else
        put_null(item);
    put_int(item, (service->lapse_wait_ms + 999) / 1000);
    put_int(item, service->network_most);
    req_put_asker(rq, item);
}

/* --- refusals --- */

static void refuse_for_now(struct req *rq, const char *reason, int seconds, const char *message) {
    char text[16];
    int n = snprintf(text, sizeof text, "%d", seconds);
    req_set_header(rq, "retry-after", (struct str){text, (size_t)n});
    req_refuse(rq, 429, reason, message);
}

static void refuse_lapsed(struct req *rq, int holds, int seconds) {
    int minutes = (seconds + MINUTE_S - 1) / MINUTE_S;
    char message[128];
    if (minutes <= 1)
        snprintf(message, sizeof message, "You let %d holds of these tickets lapse; try again in a minute",
                 holds);
    else
        snprintf(message, sizeof message, "You let %d holds of these tickets lapse; try again in %d minutes",
                 holds, minutes);
    refuse_for_now(rq, "lapsed", seconds, message);
}

static void refuse_more(struct req *rq, int most) {
    char message[128];
    snprintf(message, sizeof message,
             "As you let holds lapse, %d unpaid tickets are the most that you can hold at a time today",
             most);
    req_refuse(rq, 409, "fewer", message);
}

/* Whether a verdict is this word; its numbers, of which there are as many as it says. */
static bool says(struct str verdict, const char *word, int numbers[2]) {
    char text[48];
    size_t n = strlen(word);
    snprintf(text, sizeof text, "%.*s", (int)verdict.n, verdict.p);
    if (strncmp(text, word, n) != 0) return false;
    char *at = text + n;
    for (int i = 0; i < 2; i++)
        numbers[i] = (int)strtol(at, &at, 10);
    return true;
}

bool origins_refuse(struct req *rq, struct str verdict) {
    int numbers[2];
    if (says(verdict, "crowded", numbers))
        refuse_for_now(rq, "crowded", CROWDED_S,
                       "Too many tickets are held from your network; try again in a minute");
    else if (says(verdict, "lapsed ", numbers))
        refuse_lapsed(rq, numbers[0], numbers[1]);
    else if (says(verdict, "fewer ", numbers))
        refuse_more(rq, numbers[0]);
    else
        return false;
    return true;
}
