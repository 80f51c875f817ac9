/* fetch_transfer: one request and its answer, by libcurl: the part that fetch and fetch_blocking share.
 *
 * A transfer belongs to the thread that drives it. It holds copies of all that the request says. The handle
 * is the client's and points to the transfer: reset it before fetch_transfer_destroy. */
#pragma once

#ifndef FETCH_PRIV
#error "private to common/fetch"
#endif

#include <curl/curl.h>

#include "buf.h"
#include "fetch.h"

struct fetch_transfer {
    char *method, *url;
    struct curl_slist *headers;
    struct buf body, answer;
    size_t max_answer;
};

void fetch_transfer_init(struct fetch_transfer *t, const struct fetch_request *r,
                         const struct fetch_options *options);
void fetch_transfer_destroy(struct fetch_transfer *t);

/* Sets the options of a handle that is new or reset. */
void fetch_transfer_describe(struct fetch_transfer *t, CURL *easy, const struct fetch_options *options,
                             int timeout_ms);
/* The answer of a transfer that has ended. It is valid until the transfer or the handle changes. */
struct fetch_answer fetch_transfer_answer(struct fetch_transfer *t, CURL *easy, CURLcode result);
