#include <stdio.h>

#include "clock.h"
#include "live_metrics.h"
#include "live_stream.h"

static struct buf *out_of(struct live_stream *s) {
    return req_stream_out(s->rq);
}

/* A title with a line end in it must not become a line of ours. */
void live_data(struct buf *out, struct str text) {
    for (bool more = true; more;) {
        size_t n = 0;
        while (n < text.n && text.p[n] != '\n' && text.p[n] != '\r')
            n++;
        html_literal(out, "data: ");
        buf_add(out, text.p, n);
        html_literal(out, "\n");
        more = n < text.n;
        size_t used = more ? n + 1 : n;
        text = (struct str){text.p + used, text.n - used};
    }
    html_literal(out, "\n");
}

/* --- a ticket --- */

static struct ticket_when_view when_of(const struct live_item *item) {
    return (struct ticket_when_view){item->date, item->venue, item->city};
}

/* The same order as the events'. */
static enum ticket_state state_of(const struct live_item *item) {
    return (enum ticket_state)item->status;
}

static void say_card(struct live_stream *s, const struct live_item *item) {
    struct buf *card = &s->thread->cards[s->language];
    if (card->len == 0)
        ticket_card_render(card, &(struct ticket_card_view){.id = item->id,
                                                            .title = item->title,
                                                            .price = item->price,
                                                            .state = state_of(item),
                                                            .version = item->version,
                                                            .at = when_of(item)});
    html_literal(out_of(s), "event: card\n");
    live_data(out_of(s), buf_str(card));
}

static enum viewer viewer_of(const struct live_stream *s, const struct live_item *item) {
    if (s->user == NULL) return VIEWER_STRANGER;
    if (uuid_eq(&s->user->user, &item->owner)) return VIEWER_SELLER;
    return uuid_eq(&s->user->user, &item->holder) ? VIEWER_HOLDER : VIEWER_BUYER;
}

static void say_sheet(struct live_stream *s, const struct live_item *item) {
    struct buf sheet = {0};
    struct uuid key = uuid_v7();
    char key_text[UUID_TEXT];
    uuid_format(&key, key_text);
    ticket_sheet_render(&sheet, &(struct ticket_sheet_view){.id = item->id,
                                                            .title = item->title,
                                                            .price = item->price,
                                                            .state = state_of(item),
                                                            .version = item->version,
                                                            .at = when_of(item),
                                                            .viewer = viewer_of(s, item),
                                                            .order = item->order,
                                                            .csrf = s->csrf,
                                                            .key = {key_text, UUID_TEXT}});
    html_literal(out_of(s), "event: sheet\n");
    live_data(out_of(s), buf_str(&sheet));
    buf_free(&sheet);
}

/* --- an order: what there is to say of it, its page asks the services --- */

static void say_order(struct live_stream *s, const struct live_item *item) {
    struct json json = {0};
    json_open(&json, '{');
    json_put_uuid(&json, "id", item->id);
    json_put_int(&json, "version", item->version);
    json_close(&json, '}');
    html_literal(out_of(s), "event: order\n");
    live_data(out_of(s), buf_str(&json.out));
    buf_free(&json.out);
}

static bool is_own(const struct live_stream *s, const struct live_item *order) {
    return s->user != NULL && uuid_eq(&s->user->user, &order->owner);
}

/* Of an order of one's own: its notice, or that the ticket's page has more to say to its holder. */
static bool say_of_order(struct live_stream *s, struct live_want *want, const struct live_item *item) {
    if (!is_own(s, item) || want->shape == LIVE_CARD) return false;
    if (want->shape == LIVE_SHEET) {
        live_say_again(s);
        return true;
    }
    if (item->version <= want->version) return false;
    want->version = item->version;
    say_order(s, item);
    return true;
}

void live_forget_cards(struct live_thread *t) {
    for (int i = 0; i < LANGUAGES; i++)
        t->cards[i].len = 0;
}

bool live_say(struct live_stream *s, struct live_want *want, const struct live_item *item) {
    bool said;
    language_use(s->language);
    if (want->shape == LIVE_SHOW) return false;
    if (item->kind == LIVE_ORDER)
        said = say_of_order(s, want, item);
    else if ((said = want->shape != LIVE_NOTICE && item->version > want->version)) {
        want->version = item->version;
        if (want->shape == LIVE_CARD)
            say_card(s, item);
        else
            say_sheet(s, item);
    }
    metric_add(M_LIVE_CHANGES, said);
    return said;
}

/* --- the rest --- */

void live_say_again(struct live_stream *s) {
    html_literal(out_of(s), "event: again\ndata: yes\n\n");
}

void live_say_listed(struct live_stream *s) {
    buf_printf(out_of(s), "event: listed\ndata: %lld\n\n", (long long)(s->thread->listed - s->counted));
    s->counted = s->thread->listed;
}

void live_tick(struct buf *out, struct str place, int64_t now_ms) {
    buf_printf(out, "event: tick\nid: %.*s\ndata: %lld\n\n", (int)place.n, place.p, (long long)now_ms);
}

void live_mark(struct live_stream *s) {
    if (s->dirty) return;
    s->dirty = true;
    s->next_dirty = s->thread->dirty;
    s->thread->dirty = s;
}

void live_say_place(struct live_stream *s) {
    live_tick(out_of(s), buf_str(&s->thread->place), clock_wall_us() / 1000);
}

struct str live_since(struct req *rq, const struct live *live) {
    const struct buf *place = &live->threads[req_thread(rq)].place;
    return arena_str(req_arena(rq), buf_str(place));
}
