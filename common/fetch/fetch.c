#include "fetch.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "thread.h"

/* Nothing is missed meanwhile: fetch_submit wakes the thread, and curl knows of its own deadlines. */
enum { IDLE_MS = 10000 };

struct transfer {
    struct transfer *next; /* among the submitted */
    struct fetch *owner;
    char *method, *url;
    struct curl_slist *headers;
    struct buf body, answer;
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
    pthread_mutex_t lock; /* guards the next three */
    struct transfer *submitted, **last;
    bool stopping;
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
    t->method = mem_strdup(r->method);
    t->url = mem_strdup(r->url);
    for (int i = 0; r->headers != NULL && r->headers[i] != NULL; i++) {
        struct curl_slist *longer = curl_slist_append(t->headers, r->headers[i]);
        if (longer == NULL) abort();
        t->headers = longer;
    }
    buf_add(&t->body, r->body.p, r->body.n);
    t->due_us = clock_mono_us() + r->delay_ms * INT64_C(1000);
    t->deadline_us = t->due_us + r->timeout_ms * INT64_C(1000);
    t->done = done;
    t->ctx = ctx;
    return t;
}

static void transfer_free(struct transfer *t) {
    curl_slist_free_all(t->headers);
    buf_free(&t->body);
    buf_free(&t->answer);
    free(t->method);
    free(t->url);
    free(t);
}

static void keep_handle(struct fetch *f, CURL *easy) {
    curl_easy_reset(easy);
    f->spare[f->nspare++] = easy;
}

/* Tells how it ended, and forgets it. */
static void end(struct transfer *t, enum status st, const char *words) {
    struct fetch *f = t->owner;
    struct fetch_answer answer = {.st = st, .why = words, .easy = t->easy};
    if (t->easy != NULL) {
        curl_multi_remove_handle(f->multi, t->easy);
        f->active[t->place] = f->active[--f->nactive];
        f->active[t->place]->place = t->place;
    }
    if (st == ST_OK) {
        long code = 0;
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &code);
        answer.code = (int)code;
        buf_reserve(&t->answer, 1);
        t->answer.data[t->answer.len] = '\0';
        answer.body = (struct str){(const char *)t->answer.data, t->answer.len};
    }
    atomic_fetch_sub(&f->in_flight, 1);
    t->done(t->ctx, &answer);
    if (t->easy != NULL) keep_handle(f, t->easy);
    transfer_free(t);
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

static size_t on_bytes(char *bytes, size_t size, size_t n, void *arg) {
    struct transfer *t = arg;
    if (size * n > t->owner->options.max_answer - t->answer.len) return 0; /* curl ends the transfer */
    buf_add(&t->answer, bytes, size * n);
    return size * n;
}

static void describe(struct transfer *t, int64_t left_ms) {
    CURL *easy = t->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_URL, t->url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)t->owner->options.connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    if (t->body.len > 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->body.data); /* not copied: lives with t */
    } else if (strcmp(t->method, "POST") == 0)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, t->method);
}

static void send_off(struct fetch *f, struct transfer *t, int64_t left_ms) {
    t->easy = f->nspare > 0 ? f->spare[--f->nspare] : curl_easy_init();
    if (t->easy == NULL) abort();
    describe(t, left_ms);
    t->place = f->nactive;
    f->active[f->nactive++] = t;
    if (curl_multi_add_handle(f->multi, t->easy) != CURLM_OK) abort();
}

/* Sends off what is due, as long as there is room. */
static void send_due(struct fetch *f) {
    int64_t now = clock_mono_us();
    while (f->nwaiting > 0 && f->waiting[0]->due_us <= now) {
        int64_t left_ms = (f->waiting[0]->deadline_us - now) / 1000;
        if (left_ms <= 0)
            end(take_first(f), ST_TIMEOUT, "others before it took too long");
        else if (f->nactive < f->options.connections)
            send_off(f, take_first(f), left_ms);
        else
            break;
    }
}

static enum status status_of(CURLcode result) {
    switch (result) {
    case CURLE_OK:
        return ST_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return ST_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return ST_INVALID;
    default:
        return ST_LOST;
    }
}

static void end_finished(struct fetch *f) {
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(f->multi, &left)) != NULL;) {
        CURLcode result = m->data.result;
        struct transfer *t;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
        end(t, status_of(result), t->error[0] != '\0' ? t->error : curl_easy_strerror(result));
    }
}

/* --- the thread --- */

/* Takes over what was submitted. false: it is to stop. */
static bool take_submitted(struct fetch *f) {
    pthread_mutex_lock(&f->lock);
    struct transfer *t = f->submitted;
    f->submitted = NULL;
    f->last = &f->submitted;
    bool stopping = f->stopping;
    pthread_mutex_unlock(&f->lock);
    for (struct transfer *next; t != NULL; t = next) {
        next = t->next;
        put_waiting(f, t);
    }
    return !stopping;
}

/* Until somebody waiting can go, or has waited too long. */
static int patience_ms(const struct fetch *f) {
    if (f->nwaiting == 0) return IDLE_MS;
    const struct transfer *first = f->waiting[0];
    int64_t until_us = f->nactive < f->options.connections ? first->due_us : first->deadline_us;
    int64_t ms = (until_us - clock_mono_us() + 999) / 1000;
    return ms < 0 ? 0 : ms > IDLE_MS ? IDLE_MS : (int)ms;
}

static void end_all(struct fetch *f) {
    while (f->nactive > 0)
        end(f->active[f->nactive - 1], ST_STOPPED, "shutting down");
    do
        while (f->nwaiting > 0)
            end(take_first(f), ST_STOPPED, "shutting down");
    while (take_submitted(f), f->nwaiting > 0);
}

static void *run(void *arg) {
    struct fetch *f = arg;
    while (take_submitted(f)) {
        int running;
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
    pthread_mutex_lock(&f->lock);
    bool first = f->submitted == NULL; /* whoever submitted the first has woken the thread */
    *f->last = t;
    f->last = &t->next;
    pthread_mutex_unlock(&f->lock);
    if (first) curl_multi_wakeup(f->multi);
}

int fetch_in_flight(const struct fetch *f) {
    return atomic_load(&f->in_flight);
}

/* --- its life --- */

struct fetch *fetch_start(const struct fetch_options *options) {
    size_t n = (size_t)options->connections;
    struct fetch *f = mem_alloc(sizeof *f);
    f->options = *options;
    f->last = &f->submitted;
    f->active = mem_alloc(n * sizeof *f->active);
    f->spare = mem_alloc(n * sizeof *f->spare);
    curl_global_init(CURL_GLOBAL_DEFAULT); /* counted, and safe from several threads since 7.84 */
    f->multi = curl_multi_init();
    if (f->multi == NULL) abort();
    curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)options->connections);
    pthread_mutex_init(&f->lock, NULL);
    f->thread = thread_start("fetch", run, f);
    return f;
}

void fetch_free(struct fetch *f) {
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_mutex_unlock(&f->lock);
    curl_multi_wakeup(f->multi);
    pthread_join(f->thread, NULL);
    for (int i = 0; i < f->nspare; i++)
        curl_easy_cleanup(f->spare[i]);
    curl_multi_cleanup(f->multi);
    curl_global_cleanup();
    pthread_mutex_destroy(&f->lock);
    free(f->waiting);
    free(f->active);
    free(f->spare);
    free(f);
}
