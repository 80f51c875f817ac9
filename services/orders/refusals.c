#include "refusals.h"

bool refusals_answer(struct req *rq, struct str verdict, const struct refusal *refusals, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(verdict, str_of(refusals[i].verdict))) {
            const struct refusal *r = &refusals[i];
            if (r->reason == NULL)
                req_fail(rq, r->status, NULL, "%s", r->message);
            else
                req_refuse(rq, r->status, r->reason, r->message);
            return true;
        }
    return false;
}

bool refusals_answer_show(struct req *rq, struct str verdict) {
    static const struct refusal refusals[] = {
        {"show limit", 409, "That would be more places of this show than one person can have", "limit"},
        {"not open", 409, "This is not on sale yet", "not_open"},
        {"over", 409, "The sale of this is over", "over"},
        {"never sold", 409, "No phase of the sale has these places", "not_sold"},
        {"queue required", 403, "Whoever buys here now needs a turn from the queue of the show",
         "queue_required"},
        {"which area", 409, "Only some areas of this show are on sale now: choose one of them",
         "area_required"},
        {"code required", 403, "Whoever buys here now needs a code", "code_required"},
        {"codes required", 403,
         "Several of these shows need a code each: buy their tickets one show at a time", "code_required"},
        {"code wrong", 403, "This is not a code of this show", "code_wrong"},
        {"code used", 409, "This code has been used as often as it can be", "code_used"},
    };
    return refusals_answer(rq, verdict, refusals, sizeof refusals / sizeof *refusals);
}
