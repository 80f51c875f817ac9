#include "fetch_blocking.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "mem.h"
#include "priv/fetch_transfer.h"

/* The longest poll; curl's own deadlines end it earlier. */
enum { POLL_MS = 10000 };

struct fetch_blocking {
    struct fetch_options options;
    CURLM *multi; /* the easy interface cannot be woken */
    CURL *easy;
    struct fetch_transfer transfer; /* the latest */
    atomic_bool stopped;
};

struct fetch_blocking *fetch_blocking_new(const struct fetch_options *options) {
    struct fetch_blocking *b = mem_alloc(sizeof *b);
    b->options = *options;
    curl_global_init(CURL_GLOBAL_DEFAULT); /* counted, and safe from several threads since 7.84 */
    b->multi = curl_multi_init();
    b->easy = curl_easy_init();
    if (b->multi == NULL || b->easy == NULL) abort();
    curl_multi_setopt(b->multi, CURLMOPT_MAXCONNECTS, 1L);
    return b;
}

static void forget_latest(struct fetch_blocking *b) {
    curl_easy_reset(b->easy);
    fetch_transfer_destroy(&b->transfer);
    b->transfer = (struct fetch_transfer){0};
}

void fetch_blocking_free(struct fetch_blocking *b) {
    if (b == NULL) return;
    forget_latest(b);
    curl_easy_cleanup(b->easy);
    curl_multi_cleanup(b->multi);
    curl_global_cleanup();
    free(b);
}

/* Drives the transfer to its end. false: stopped before. */
static bool drive(struct fetch_blocking *b, CURLcode *result) {
    while (!atomic_load(&b->stopped)) {
        int running, left;
        curl_multi_perform(b->multi, &running);
        const CURLMsg *m = curl_multi_info_read(b->multi, &left);
        if (m != NULL) {
            *result = m->data.result;
            return true;
        }
        curl_multi_poll(b->multi, NULL, 0, POLL_MS, NULL);
    }
    return false;
}

struct fetch_answer fetch_blocking_perform(struct fetch_blocking *b, const struct fetch_request *request) {
    CURLcode result = CURLE_OK;
    forget_latest(b);
    fetch_transfer_init(&b->transfer, request, &b->options);
    fetch_transfer_describe(&b->transfer, b->easy, &b->options, request->timeout_ms);
    if (curl_multi_add_handle(b->multi, b->easy) != CURLM_OK) abort();
    bool ended = drive(b, &result);
    curl_multi_remove_handle(b->multi, b->easy);
    if (!ended) return (struct fetch_answer){.st = ST_STOPPED, .why = "shutting down"};
    return fetch_transfer_answer(&b->transfer, b->easy, result);
}

bool fetch_blocking_wait(struct fetch_blocking *b, int64_t until_us) {
    int ms = clock_ms_until(until_us);
    if (ms > 0 && !atomic_load(&b->stopped)) curl_multi_poll(b->multi, NULL, 0, ms, NULL);
    return !atomic_load(&b->stopped);
}

void fetch_blocking_wake(struct fetch_blocking *b) {
    curl_multi_wakeup(b->multi);
}

void fetch_blocking_stop(struct fetch_blocking *b) {
    atomic_store(&b->stopped, true);
    curl_multi_wakeup(b->multi);
}
