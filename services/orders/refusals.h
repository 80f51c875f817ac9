/* refusals: what is answered for verdicts that refuse. Any HTTP thread. */
#pragma once

#include "http.h"

struct refusal {
    const char *verdict;
    int status;
    const char *message;
    const char *reason; /* for programs; NULL: none */
};

/* False: the verdict is none of these. */
bool refusals_answer(struct req *rq, struct str verdict, const struct refusal *refusals, size_t n);
/* For what the limit of a show, its phases or a code of it say; false: the verdict is none of these. */
bool refusals_answer_show(struct req *rq, struct str verdict);
