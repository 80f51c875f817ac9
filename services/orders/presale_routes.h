/* presale_routes: the HTTP side of codes: a seller makes them, and a person spends one, by itself or with
 * what he buys. Any HTTP thread. */
#pragma once

#include "body.h"
#include "http.h"

req_handler presale_post, presale_post_spend;

struct presale_code {
    bool given;
    struct uuid hash;
};
body_reader presale_read_code; /* struct presale_code */

/* Spends a code for whoever asks: of a show, or if that is NULL of the show that one of some tickets is of,
 * whose ids are as Postgres writes an array. */
void presale_spend(struct req *rq, const struct presale_code *code, const struct uuid *show,
                   struct str tickets, req_done *done);
/* Whether it is spent. false: answered why not, or `again` is called in a moment, to spend it then. */
bool presale_is_spent(struct req *rq, const struct rows *rows, req_handler *again);
