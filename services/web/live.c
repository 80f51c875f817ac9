#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "clock.h"
#include "live_metrics.h"
#include "live_places.h"
#include "live_stream.h"
#include "mem.h"
#include "visit.h"

enum {
    MOST_WANTS = 64, /* things that a page shows: PAGE_ITEMS, and then some */
    MOST_WAITING =
        64 * 1024,         /* bytes for a client that does not take them: all cards of its page four times */
    MOST_ON_THE_WAY = 16,  /* batches told to the threads and not taken yet */
    SCAN_US = 1000 * 1000, /* each stream is looked at so often */
    SILENCE_US = 15 * 1000000, /* most time without a word: proxies close what is silent for 30 s or 60 s */
    RETRY_MS = 500,            /* how soon clients come back; spread over RETRY_SPREAD_MS, not all at once */
    RETRY_SPREAD_MS = 2000,
    LATER_S = 10, /* for whom there is no place */
};

/* --- the life of a stream, on its thread --- */

/* There is room for another one. */
static int give_place_back(struct live_stream *s) {
    struct live *live = s->thread->live;
    live_clients_leave(live->clients, &s->client);
    return atomic_fetch_sub(&live->streams, 1) - 1;
}

static void leave(struct live_stream *s) {
    if (s->at == NULL) return;
    live_places_leave(s);
    for (int i = 0; i < s->nwants; i++)
        live_index_remove(&s->thread->index, &s->wants[i]);
    *s->at = s->next;
    if (s->next != NULL) s->next->at = s->at;
    s->at = NULL;
    metric_set(M_LIVE_STREAMS, give_place_back(s));
}

static void enter(struct live_stream *s) {
    struct live_thread *t = s->thread;
    for (int i = 0; i < s->nwants; i++)
        live_index_add(&t->index, &s->wants[i]);
    s->at = &t->streams;
    s->next = t->streams;
    if (s->next != NULL) s->next->at = &s->next;
    t->streams = s;
    s->counted = t->listed;
    metric_set(M_LIVE_STREAMS, atomic_load(&t->live->streams));
}

static void on_end(void *stream) {
    leave(stream);
}

static void flush(struct live_stream *s, int64_t now_us) {
    s->dirty = false;
    s->spoke_us = now_us;
    live_say_place(s);
    if (!req_stream_flush(s->rq)) leave(s);
}

static void flush_marked(struct live_thread *t) {
    int64_t now_us = clock_mono_us();
    for (struct live_stream *s = t->dirty, *next; s != NULL; s = next) {
        next = s->next_dirty;
        flush(s, now_us);
    }
    t->dirty = NULL;
}

/* --- what the tap tells --- */

struct delivery {
    struct live_thread *thread;
    struct live_batch *batch;
};

static void say_to_all(struct live_thread *t, const struct uuid *id, const struct live_item *item) {
    for (struct live_want *w = live_index_find(&t->index, id); w != NULL; w = live_index_next(w))
        if (live_say(w->stream, w, item)) live_mark(w->stream);
}

/* A session that is over must not be told of its orders any more; its page comes back as nobody's. */
static bool may_stay(const struct live_stream *s) {
    return s->user == NULL || req_still_signed_in(s->rq);
}

static void scan(struct live_thread *t) {
    int64_t now_us = clock_mono_us();
    if (now_us - t->scanned_us < SCAN_US) return;
    t->scanned_us = now_us;
    for (struct live_stream *s = t->streams, *next; s != NULL; s = next) {
        next = s->next;
        bool news = s->counts && t->listed > s->counted;
        if (news) live_say_listed(s);
        if (news || now_us - s->spoke_us >= SILENCE_US) live_mark(s);
        if (!may_stay(s)) {
            req_stream_end(s->rq);
            leave(s);
        }
    }
}

static const struct uuid no_show;

static void on_batch(void *arg) {
    struct delivery *d = arg;
    struct live_thread *t = d->thread;
    const struct live_batch *batch = d->batch;
    for (size_t i = 0; i < batch->count; i++) {
        const struct live_item *item = batch->items[i];
        live_forget_cards(t);
        say_to_all(t, &item->id, item);
        if (item->kind == LIVE_ORDER) say_to_all(t, &item->ticket, item);
        if (!uuid_eq(&item->show, &no_show)) live_places_changed(t, &item->show);
    }
    t->place.len = 0;
    buf_add(&t->place, batch->place, batch->place_n);
    t->listed += batch->listed;
    scan(t);
    flush_marked(t);
    atomic_fetch_sub(&t->live->on_the_way, 1);
    live_batch_unref(d->batch);
    free(d);
}

/* --- on the tap's thread --- */

static void tell(void *arg, struct live_batch *batch) {
    struct live *live = arg;
    for (int i = 0; i < http_threads(live->http); i++) {
        struct delivery *d = mem_alloc(sizeof *d);
        *d = (struct delivery){&live->threads[i], batch};
        atomic_fetch_add(&batch->refs, 1);
        atomic_fetch_add(&live->on_the_way, 1);
        http_tell(live->http, i, on_batch, d);
    }
}

static bool is_busy(void *arg) {
    struct live *live = arg;
    return atomic_load(&live->on_the_way) > MOST_ON_THE_WAY * http_threads(live->http);
}

/* --- a stream begins --- */

static void say_first(struct live_stream *s) {
    struct live_question *q = &s->question;
    buf_printf(req_stream_out(s->rq), "retry: %d\n\n", RETRY_MS + (int)(clock_mono_us() % RETRY_SPREAD_MS));
    for (int i = 0; i < q->count; i++) {
        live_forget_cards(s->thread);
        if (q->found[i] != NULL) live_say(s, &s->wants[i], q->found[i]);
    }
    if (!q->reached) live_say_again(s);
}

static bool begin(struct live_stream *s) {
    struct req *rq = s->rq;
    req_set_header(rq, "x-accel-buffering", STR("no")); /* what nginx's kind of proxy needs to be told */
    if (s->question.st != ST_OK)
        req_retry_after(rq, 503, 5, "changes can't be followed right now, try again");
    else if (req_stream(rq, "text/event-stream", MOST_WAITING))
        return true;
    else
        req_hang_up(rq); /* its client has left */
    return false;
}

static void on_answered(struct req *rq, void *arg) {
    (void)rq;
    struct live_stream *s = arg;
    if (begin(s)) {
        enter(s);
        say_first(s);
        if (s->show_want != NULL) live_places_enter(s, s->show_want);
        flush(s, clock_mono_us());
    } else
        give_place_back(s);
    for (int i = 0; i < s->question.count; i++)
        live_item_unref(s->question.found[i]);
}

static void on_tap_answer(struct live_question *q) {
    struct live_stream *s = (struct live_stream *)((char *)q - offsetof(struct live_stream, question));
    req_resume(s->rq, on_answered, s);
}

struct wants {
    struct live_want items[MOST_WANTS];
    int count;
};

/* ID.VERSION,ID.VERSION... false: it is not that, or too much. */
static bool read_wants(struct wants *wants, struct str text, enum live_shape shape) {
    while (text.n > 0) {
        struct uuid id;
        if (wants->count == MOST_WANTS || text.n <= UUID_TEXT || text.p[UUID_TEXT] != '.' ||
            !uuid_parse((struct str){text.p, UUID_TEXT}, &id))
            return false;
        int version = 0;
        size_t n = UUID_TEXT + 1;
        for (; n < text.n && n < UUID_TEXT + 10 && text.p[n] >= '0' && text.p[n] <= '9'; n++)
            version = version * 10 + (text.p[n] - '0');
        if (n < text.n && text.p[n++] != ',') return false;
        text = (struct str){text.p + n, text.n - n};
        wants->items[wants->count++] = (struct live_want){.id = id, .shape = shape, .version = version};
    }
    return true;
}

/* A show is the last of the wants: nothing that the tap keeps. */
static bool read_show(struct req *rq, struct wants *wants) {
    struct str text;
    struct uuid id;
    if (!req_query(rq, "show", &text)) return true;
    if (wants->count == MOST_WANTS || !uuid_parse(text, &id)) return false;
    wants->items[wants->count++] = (struct live_want){.id = id, .shape = LIVE_SHOW};
    return true;
}

static bool read_query(struct req *rq, struct wants *wants) {
    static const struct {
        const char *name;
        enum live_shape shape;
    } kinds[] = {{"cards", LIVE_CARD}, {"sheet", LIVE_SHEET}, {"orders", LIVE_NOTICE}};
    struct str text;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (req_query(rq, kinds[i].name, &text) && !read_wants(wants, text, kinds[i].shape)) return false;
    return read_show(rq, wants);
}

static struct live_stream *new_stream(struct req *rq, struct live *live, const struct wants *wants) {
    struct live_stream *s = req_alloc(rq, sizeof *s);
    struct live_question *q = &s->question;
    size_t n = (size_t)wants->count;
    struct str text;
    s->rq = rq;
    s->thread = &live->threads[req_thread(rq)];
    s->user = visit_of(rq)->user;
    s->csrf = visit_of(rq)->page.csrf;
    s->language = visit_of(rq)->language;
    s->counts = req_query(rq, "listed", &text);
    s->nwants = wants->count;
    s->wants = req_alloc(rq, n * sizeof *s->wants);
    memcpy(s->wants, wants->items, n * sizeof *s->wants);
    for (size_t i = 0; i < n; i++)
        s->wants[i].stream = s;
    if (n > 0 && s->wants[n - 1].shape == LIVE_SHOW) s->show_want = &s->wants[n - 1];
    *q = (struct live_question){.wants = s->wants,
                                .count = wants->count - (s->show_want != NULL),
                                .found = req_alloc(rq, n * sizeof *q->found),
                                .answer = on_tap_answer};
    if (!req_header(rq, "last-event-id", &q->since)) req_query(rq, "since", &q->since);
    q->since = arena_str(req_arena(rq), q->since);
    return s;
}

static struct live_client client_of(struct req *rq) {
    static const struct uuid none;
    const struct identity *user = visit_of(rq)->user;
    struct address address;
    if (!req_client(rq, &address)) return (struct live_client){0}; /* it has left */
    if (user == NULL) return live_client_of(&address, NULL);
    return live_client_of(&address, uuid_eq(&user->session, &none) ? &user->user : &user->session);
}

/* Takes one of the places for streams. false: there is none for this client, answered. */
static bool take_place(struct req *rq, struct live *live, const struct live_client *client) {
    if (atomic_fetch_add(&live->streams, 1) >= live->options.streams) {
        atomic_fetch_sub(&live->streams, 1);
        req_retry_after(rq, 503, LATER_S, "as many pages are followed as can be");
        return false;
    }
    enum live_admission said = live_clients_enter(live->clients, client);
    if (said == LIVE_ADMITTED) return true;
    atomic_fetch_sub(&live->streams, 1);
    metric_add(M_LIVE_REFUSED, 1);
    req_retry_after(rq, 429, LATER_S,
                    said == LIVE_MANY_OF_SESSION ? "this session follows as many pages as it may"
                                                 : "as many pages are followed from this address as may be");
    return false;
}

void show_live(struct req *rq) {
    struct live *live = ((struct web *)req_service(rq))->live;
    struct wants wants = {.count = 0};
    visit_begin(rq);
    struct live_client client = client_of(rq);
    if (!read_query(rq, &wants)) {
        req_fail(rq, 400, NULL,
                 "cards, sheet and orders are lists of ID.VERSION, of %d at most; show is an ID", MOST_WANTS);
    } else if (take_place(rq, live, &client)) {
        struct live_stream *s = new_stream(rq, live, &wants);
        s->client = client;
        req_at_end(rq, on_end, s);
        req_hold(rq);
        live_tap_ask(live->tap, &s->question);
    }
}

/* --- the process's --- */

struct live *live_new(const struct live_options *options, struct why *w) {
    struct live *live = mem_alloc(sizeof *live);
    live->options = *options;
    live->clients = live_clients_new(options->of_address, options->of_session);
    live->tap = live_tap_new(&(struct live_tap_options){.brokers = options->brokers,
                                                        .registry_url = options->registry_url,
                                                        .items = (size_t)options->items,
                                                        .tell = tell,
                                                        .busy = is_busy,
                                                        .arg = live},
                             w);
    live->threads = mem_alloc((size_t)options->threads * sizeof *live->threads);
    for (int i = 0; i < options->threads; i++) {
        live->threads[i].live = live;
        live->threads[i].flush = flush_marked;
    }
    if (live->tap != NULL) return live;
    live_clients_free(live->clients);
    free(live->threads);
    free(live);
    return NULL;
}

void live_start(struct live *live, struct api *api, struct http *http) {
    live->api = api;
    live->http = http;
    metrics_register(live_metrics);
    live_tap_start(live->tap);
}

void live_stop(struct live *live) {
    live_tap_stop(live->tap);
}
