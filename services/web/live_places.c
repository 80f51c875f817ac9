#include "live_places.h"

#include <stdlib.h>

#include "api.h"
#include "mem.h"
#include "views.h"

/* What changes within this is asked for at once: an on-sale changes places by the thousand each second. */
enum { GATHER_MS = 40, TIMEOUT_MS = 2000, RETRY_MS = 1000 };

struct live_places {
    struct live_thread *thread;
    struct uuid show;
    int streams;
    bool asking, again;         /* again: something changed since it was asked */
    struct buf said[LANGUAGES]; /* what the streams know; empty: nothing yet */
};

/* --- asking: on the thread, then on the fetch thread, then on the thread again --- */

static void ask(struct live_places *p, int delay_ms);

static void free_unused(struct live_places *p) {
    if (p->streams > 0 || p->asking) return;
    for (int i = 0; i < LANGUAGES; i++)
        buf_free(&p->said[i]);
    free(p);
}

struct news {
    struct live_places *places;
    struct buf texts[LANGUAGES]; /* JSON; empty: it is not known */
};

static void say(struct live_stream *s, struct str text) {
    html_literal(req_stream_out(s->rq), "event: places\n");
    live_data(req_stream_out(s->rq), text);
}

static void say_to_all(struct live_places *p) {
    for (struct live_want *w = live_index_find(&p->thread->index, &p->show); w != NULL;
         w = live_index_next(w))
        if (w->shape == LIVE_SHOW) {
            struct live_stream *s = w->stream;
            say(s, buf_str(&p->said[s->language]));
            live_mark(s);
        }
    p->thread->flush(p->thread);
}

static void on_news(void *arg) {
    struct news *news = arg;
    struct live_places *p = news->places;
    bool known = news->texts[0].len > 0;
    if (known && !str_eq(buf_str(&news->texts[0]), buf_str(&p->said[0]))) {
        for (int i = 0; i < LANGUAGES; i++) {
            struct buf before = p->said[i];
            p->said[i] = news->texts[i];
            news->texts[i] = before;
        }
        say_to_all(p);
    }
    p->asking = false; /* only now: streams that end while they are told must not free it */
    if ((p->again || !known) && p->streams > 0) ask(p, known ? GATHER_MS : RETRY_MS);
    for (int i = 0; i < LANGUAGES; i++)
        buf_free(&news->texts[i]);
    free(news);
    free_unused(p);
}

/* {"AREA": "312 left", ...} */
static void write_counts(const json_t *areas, struct buf *out) {
    struct arena arena = {0};
    struct json json = {0};
    size_t i;
    json_t *area;
    json_open(&json, '{');
    json_array_foreach(areas, i, area) {
        const char *id = json_string_value(json_object_get(area, "id"));
        if (id == NULL) continue;
        json_key(&json, id);
        json_text(&json, view_left(json_integer_value(json_object_get(area, "free")), &arena));
    }
    json_close(&json, '}');
    buf_add(out, json.out.data, json.out.len);
    buf_free(&json.out);
    arena_free(&arena);
}

static void on_fetched(void *ctx, const struct fetch_answer *answer) {
    struct news *news = ctx;
    struct live_thread *t = news->places->thread;
    json_t *show = answer->code == 200 ? json_loadb(answer->body.p, answer->body.n, 0, NULL) : NULL;
    for (int i = 0; i < LANGUAGES; i++) {
        language_use((enum language)i);
        if (answer->code == 404) html_literal(&news->texts[i], "{}"); /* it is not asked for again */
        if (json_is_array(json_object_get(show, "areas")))
            write_counts(json_object_get(show, "areas"), &news->texts[i]);
    }
    json_decref(show);
    http_tell(t->live->http, (int)(t - t->live->threads), on_news, news);
}

static void ask(struct live_places *p, int delay_ms) {
    struct news *news = mem_alloc(sizeof *news);
    char id[UUID_TEXT], path[64];
    news->places = p;
    p->asking = true;
    p->again = false;
    uuid_format(&p->show, id);
    snprintf(path, sizeof path, "/api/shows/%.*s", UUID_TEXT, id);
    api_read(p->thread->live->api, API_TICKETS, path, delay_ms, TIMEOUT_MS, on_fetched, news);
}

static void changed(struct live_places *p) {
    if (p->asking)
        p->again = true;
    else
        ask(p, GATHER_MS);
}

/* --- the streams --- */

static struct live_places *places_of(struct live_thread *t, const struct uuid *show) {
    for (struct live_want *w = live_index_find(&t->index, show); w != NULL; w = live_index_next(w)) {
        struct live_stream *s = w->stream;
        if (w->shape == LIVE_SHOW && s->places != NULL) return s->places;
    }
    return NULL;
}

void live_places_enter(struct live_stream *s, struct live_want *want) {
    struct live_places *p = places_of(s->thread, &want->id);
    if (p == NULL) {
        p = mem_alloc(sizeof *p);
        p->thread = s->thread;
        p->show = want->id;
    }
    p->streams++;
    s->places = p;
    if (p->said[s->language].len > 0) say(s, buf_str(&p->said[s->language]));
    changed(p);
}

void live_places_leave(struct live_stream *s) {
    struct live_places *p = s->places;
    if (p == NULL) return;
    s->places = NULL;
    p->streams--;
    free_unused(p);
}

void live_places_changed(struct live_thread *t, const struct uuid *show) {
    struct live_places *p = places_of(t, show);
    if (p != NULL) changed(p);
}
