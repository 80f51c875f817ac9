#include "fetch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "inbox.h"
#include "mem.h"
#include "priv/fetch_transfer.h"
#include "thread.h"

/* How long the thread waits at most. Nothing depends on it: fetch_submit wakes the thread, and curl has its
 * own deadlines. */
enum { IDLE_MS = 10000 };

struct transfer {
    struct inbox_item item; /* while submitted */
    struct fetch *owner;
    struct fetch_transfer about;
    int64_t due_us, deadline_us;
    uint64_t order; /* of those due at the same moment */
    fetch_done *done;
    void *ctx;
    CURL *easy; /* while on its way */
    int place;  /* among those on their way */
    char error[CURL_ERROR_SIZE];
};

struct fetch {
    struct fetch_options options;
    CURLM *multi;
    pthread_t thread;
    struct inbox submitted;
    atomic_bool stopping;
    _Atomic int in_flight;

    /* the thread's alone */
    struct transfer **waiting; /* a heap: due first, first */
    int nwaiting, room;
    uint64_t orders;
    struct transfer **active; /* on their way */
    int nactive;
    CURL **spare; /* handles to use again */
    int nspare;
};

/* --- a request from submitted to done --- */

static struct transfer *transfer_new(struct fetch *f, const struct fetch_request *r, fetch_done *done,
                                     void *ctx) {
    struct transfer *t = mem_alloc(sizeof *t);
    t->owner = f;
    fetch_transfer_init(&t->about, r, &f->options);
    t->due_us = clock_mono_us() + r->delay_ms * INT64_C(1000);
    t->deadline_us = t->due_us + r->timeout_ms * INT64_C(1000);
    t->done = done;
    t->ctx = ctx;
    return t;
}

static void keep_handle(struct fetch *f, CURL *easy) {
    curl_easy_reset(easy);
    f->spare[f->nspare++] = easy;
}

/* Calls `done`, and frees it. */
static void end(struct transfer *t, const struct fetch_answer *answer) {
    struct fetch *f = t->owner;
    if (t->easy != NULL) {
        curl_multi_remove_handle(f->multi, t->easy);
        f->active[t->place] = f->active[--f->nactive];
        f->active[t->place]->place = t->place;
    }
    atomic_fetch_sub(&f->in_flight, 1);
    t->done(t->ctx, answer);
    if (t->easy != NULL) keep_handle(f, t->easy);
    fetch_transfer_destroy(&t->about);
    free(t);
}

static void end_without(struct transfer *t, enum status st, const char *words) {
    end(t, &(struct fetch_answer){.st = st, .why = words});
}

const char *fetch_header(const struct fetch_answer *answer, const char *name) {
    struct curl_header *found;
    if (answer->st != ST_OK || curl_easy_header(answer->easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK)
        return NULL;
    return found->value;
}

/* --- those that wait: for when they are due, or for room --- */

static bool before(const struct transfer *a, const struct transfer *b) {
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void put_waiting(struct fetch *f, struct transfer *t) {
    if (f->nwaiting == f->room) {
        f->room = f->room == 0 ? 64 : 2 * f->room;
        f->waiting = mem_grow(f->waiting, (size_t)f->room * sizeof *f->waiting);
    }
    t->order = f->orders++;
    int at = f->nwaiting++;
    for (int parent; at > 0 && before(t, f->waiting[parent = (at - 1) / 2]); at = parent)
        f->waiting[at] = f->waiting[parent];
    f->waiting[at] = t;
}

static struct transfer *take_first(struct fetch *f) {
    struct transfer *first = f->waiting[0], *moved = f->waiting[--f->nwaiting];
    int at = 0, child;
    while ((child = 2 * at + 1) < f->nwaiting) {
        if (child + 1 < f->nwaiting && before(f->waiting[child + 1], f->waiting[child])) child++;
        if (!before(f->waiting[child], moved)) break;
        f->waiting[at] = f->waiting[child];
        at = child;
    }
    f->waiting[at] = moved;
    return first;
}

/* --- on their way --- */

static void send_off(struct fetch *f, struct transfer *t, int left_ms) {
    t->easy = f->nspare > 0 ? f->spare[--f->nspare] : curl_easy_init();
    if (t->easy == NULL) abort();
    fetch_transfer_describe(&t->about, t->easy, &f->options, left_ms);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
    t->place = f->nactive;
    f->active[f->nactive++] = t;
    if (curl_multi_add_handle(f->multi, t->easy) != CURLM_OK) abort();
}

/* Sends off what is due, as long as there is room. */
static void send_due(struct fetch *f) {
    while (f->nwaiting > 0 && clock_ms_until(f->waiting[0]->due_us) == 0) {
        int left_ms = clock_ms_until(f->waiting[0]->deadline_us);
        if (left_ms == 0)
            end_without(take_first(f), ST_TIMEOUT, "others before it took too long");
        else if (f->nactive < f->options.connections)
            send_off(f, take_first(f), left_ms);
        else
            break;
    }
}

static void end_finished(struct fetch *f) {
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(f->multi, &left)) != NULL;) {
        struct transfer *t;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
        struct fetch_answer answer = fetch_transfer_answer(&t->about, t->easy, m->data.result);
        if (answer.st != ST_OK && t->error[0] != '\0') answer.why = t->error; /* says more */
        end(t, &answer);
    }
}

/* --- the thread --- */

static void wake(void *arg) {
    struct fetch *f = arg;
    curl_multi_wakeup(f->multi);
}

static void take_submitted(struct fetch *f) {
    struct inbox_item *item = inbox_take(&f->submitted);
    for (struct inbox_item *next; item != NULL; item = next) {
        next = item->next;
        put_waiting(f, (struct transfer *)item);
    }
}

/* Until somebody waiting can go, or has waited too long. */
static int patience_ms(const struct fetch *f) {
    if (f->nwaiting == 0) return IDLE_MS;
    const struct transfer *first = f->waiting[0];
    int64_t until_us = f->nactive < f->options.connections ? first->due_us : first->deadline_us;
    int ms = clock_ms_until(until_us);
    return ms > IDLE_MS ? IDLE_MS : ms;
}

static void end_all(struct fetch *f) {
    while (f->nactive > 0)
        end_without(f->active[f->nactive - 1], ST_STOPPED, "shutting down");
    do
        while (f->nwaiting > 0)
            end_without(take_first(f), ST_STOPPED, "shutting down");
    while (take_submitted(f), f->nwaiting > 0);
}

static void *run(void *arg) {
    struct fetch *f = arg;
    while (!atomic_load(&f->stopping)) {
        int running;
        take_submitted(f);
        send_due(f);
        curl_multi_perform(f->multi, &running);
        end_finished(f);
        curl_multi_poll(f->multi, NULL, 0, patience_ms(f), NULL);
    }
    end_all(f);
    return NULL;
}

void fetch_submit(struct fetch *f, const struct fetch_request *request, fetch_done *done, void *ctx) {
    struct transfer *t = transfer_new(f, request, done, ctx);
    atomic_fetch_add(&f->in_flight, 1);
    inbox_put(&f->submitted, &t->item);
}

int fetch_in_flight(const struct fetch *f) {
    return atomic_load(&f->in_flight);
}

/* --- its life --- */

struct fetch *fetch_start(const struct fetch_options *options) {
    size_t n = (size_t)options->connections;
    struct fetch *f = mem_alloc(sizeof *f);
    f->options = *options;
    f->active = mem_alloc(n * sizeof *f->active);
    f->spare = mem_alloc(n * sizeof *f->spare);
    curl_global_init(CURL_GLOBAL_DEFAULT); /* counted, and safe from several threads since 7.84 */
    f->multi = curl_multi_init();
    if (f->multi == NULL) abort();
    curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)options->connections);
    inbox_init(&f->submitted, wake, f);
    f->thread = thread_start("fetch", run, f);
    return f;
}

void fetch_free(struct fetch *f) {
    atomic_store(&f->stopping, true);
    curl_multi_wakeup(f->multi);
    pthread_join(f->thread, NULL);
    for (int i = 0; i < f->nspare; i++)
        curl_easy_cleanup(f->spare[i]);
    curl_multi_cleanup(f->multi);
    curl_global_cleanup();
    inbox_destroy(&f->submitted);
    free(f->waiting);
    free(f->active);
    free(f->spare);
    free(f);
}
