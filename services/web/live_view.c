#include "live_view.h"

#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "clock.h"
#include "mem.h"

struct slot {
    struct slot *next;          /* of the same bucket */
    struct slot *older, *newer; /* by when they changed last */
    const struct live_item *item;
    int part; /* where that was said */
    int64_t offset;
};

struct part { /* of a topic: a partition */
    int topic;
    int32_t partition;
    int64_t position; /* the next record */
    int64_t horizon;  /* from here on nothing is forgotten */
};

struct live_view {
    size_t most, count, nbuckets;
    struct slot **buckets;
    struct slot *oldest, *newest;
    struct part *parts; /* by topic and partition */
    int nparts;
};

const struct live_item *live_item_ref(const struct live_item *item) {
    atomic_fetch_add_explicit(&((struct live_item *)item)->refs, 1, memory_order_relaxed);
    return item;
}

void live_item_unref(const struct live_item *item) {
    if (item != NULL && atomic_fetch_sub(&((struct live_item *)item)->refs, 1) == 1) free((void *)item);
}

struct live_view *live_view_new(size_t most) {
    struct live_view *view = mem_alloc(sizeof *view);
    view->most = most;
    view->nbuckets = 1;
    while (view->nbuckets < most)
        view->nbuckets *= 2;
    view->buckets = mem_alloc(view->nbuckets * sizeof *view->buckets);
    return view;
}

void live_view_free(struct live_view *view) {
    if (view == NULL) return;
    for (struct slot *s = view->oldest, *newer; s != NULL; s = newer) {
        newer = s->newer;
        live_item_unref(s->item);
        free(s);
    }
    free(view->buckets);
    free(view->parts);
    free(view);
}

/* --- partitions --- */

static int find_part(const struct live_view *view, int topic, int32_t partition) {
    for (int i = 0; i < view->nparts; i++)
        if (view->parts[i].topic == topic && view->parts[i].partition == partition) return i;
    return -1;
}

static bool before(const struct part *a, const struct part *b) {
    return a->topic != b->topic ? a->topic < b->topic : a->partition < b->partition;
}

/* Slots name their part by its place, so those behind a new one move along. Rare: a topic has grown. */
static void insert_part(struct live_view *view, struct part new) {
    int at = view->nparts++;
    view->parts = mem_grow(view->parts, (size_t)view->nparts * sizeof *view->parts);
    for (; at > 0 && before(&new, &view->parts[at - 1]); at--)
        view->parts[at] = view->parts[at - 1];
    view->parts[at] = new;
    for (struct slot *s = view->oldest; s != NULL; s = s->newer)
        if (s->part >= at) s->part++;
}

int64_t live_view_begin(struct live_view *view, int topic, int32_t partition, int64_t offset, bool gone) {
    int at = find_part(view, topic, partition);
    if (at < 0)
        insert_part(view, (struct part){topic, partition, offset, offset});
    else if (gone)
        view->parts[at].position = view->parts[at].horizon = offset;
    return at < 0 ? offset : view->parts[at].position;
}

static int pass(struct live_view *view, int topic, int32_t partition, int64_t offset) {
    int at = find_part(view, topic, partition);
    if (at >= 0) view->parts[at].position = offset + 1;
    return at;
}

void live_view_passed(struct live_view *view, int topic, int32_t partition, int64_t offset) {
    pass(view, topic, partition, offset);
}

void live_view_place(const struct live_view *view, struct buf *out) {
    char text[24];
    for (int i = 0; i < view->nparts; i++) {
        int n = snprintf(text, sizeof text, "%s%lld", i > 0 ? "." : "", (long long)view->parts[i].position);
        buf_add(out, text, (size_t)n);
    }
}

/* The next number of a place; false: there is none. */
static bool next_offset(struct str *place, int64_t *out) {
    size_t n = 0;
    *out = 0;
    for (; n < place->n && n < 18 && place->p[n] >= '0' && place->p[n] <= '9'; n++)
        *out = *out * 10 + (place->p[n] - '0');
    bool ends = n == place->n || place->p[n] == '.';
    size_t used = n < place->n ? n + 1 : n;
    *place = (struct str){place->p + used, place->n - used};
    return n > 0 && ends;
}

/* One ahead of us is of another instance that has read on, or of another topic under the same name. */
bool live_view_reaches(const struct live_view *view, struct str place) {
    int64_t offset;
    for (int i = 0; i < view->nparts; i++) {
        const struct part *part = &view->parts[i];
        if (!next_offset(&place, &offset) || offset < part->horizon || offset > part->position) return false;
    }
    return view->nparts > 0 && place.n == 0;
}

/* --- tickets and orders --- */

static struct slot **bucket_of(const struct live_view *view, const struct uuid *id) {
    return &view->buckets[uuid_hash(id) & (view->nbuckets - 1)];
}

static struct slot **find(const struct live_view *view, const struct uuid *id) {
    struct slot **at = bucket_of(view, id);
    while (*at != NULL && !uuid_eq(&(*at)->item->id, id))
        at = &(*at)->next;
    return at;
}

static void unlink_slot(struct live_view *view, struct slot *s) {
    *(s->older == NULL ? &view->oldest : &s->older->newer) = s->newer;
    *(s->newer == NULL ? &view->newest : &s->newer->older) = s->older;
}

static void link_newest(struct live_view *view, struct slot *s) {
    s->older = view->newest;
    s->newer = NULL;
    *(view->newest == NULL ? &view->oldest : &view->newest->newer) = s;
    view->newest = s;
}

static void forget_oldest(struct live_view *view) {
    struct slot *s = view->oldest, **at = find(view, &s->item->id);
    struct part *part = &view->parts[s->part];
    if (part->horizon <= s->offset) part->horizon = s->offset + 1;
    unlink_slot(view, s);
    *at = s->next;
    live_item_unref(s->item);
    free(s);
    view->count--;
}

/* Takes the item over. */
static const struct live_item *keep(struct live_view *view, int part, int64_t offset,
                                    struct live_item *item) {
    struct slot *s = *find(view, &item->id);
    if (s == NULL) {
        if (view->count == view->most) forget_oldest(view);
        s = *find(view, &item->id) = mem_alloc(sizeof *s);
        view->count++;
    } else {
        live_item_unref(s->item);
        unlink_slot(view, s);
    }
    s->item = item;
    s->part = part;
    s->offset = offset;
    link_newest(view, s);
    return item;
}

const struct live_item *live_view_find(const struct live_view *view, const struct uuid *id) {
    const struct slot *s = *find(view, id);
    return s == NULL ? NULL : s->item;
}

size_t live_view_count(const struct live_view *view) {
    return view->count;
}

/* -1: it says nothing new. */
static int part_of_news(struct live_view *view, int topic, int32_t partition, int64_t offset,
                        const struct uuid *id, int version) {
    int part = pass(view, topic, partition, offset);
    const struct live_item *known = live_view_find(view, id);
    return known != NULL && known->version >= version ? -1 : part;
}

enum { LIVE_TEXTS = 3 }; /* title, venue, city */

static struct live_item *new_item(enum live_kind kind, struct uuid id, struct uuid owner, int version,
                                  const struct str texts[LIVE_TEXTS]) {
    size_t size = 0;
    for (int i = 0; i < LIVE_TEXTS; i++)
        size += texts[i].n;
    struct live_item *item = mem_alloc(sizeof *item + size);
    item->refs = 1;
    item->kind = kind;
    item->id = id;
    item->owner = owner;
    item->version = version;
    char *at = item->texts;
    struct str *own[LIVE_TEXTS] = {&item->title, &item->venue, &item->city};
    for (int i = 0; i < LIVE_TEXTS; i++) {
        if (texts[i].n > 0) memcpy(at, texts[i].p, texts[i].n);
        *own[i] = (struct str){at, texts[i].n};
        at += texts[i].n;
    }
    return item;
}

/* A show's places are made by the million, are in no list, and whoever sees one knows its first version. */
static bool is_new_place(const struct ticket_event *e) {
    return e->type == TICKET_CREATED && e->has_show_id;
}

const struct live_item *live_view_ticket(struct live_view *view, int topic, int32_t partition, int64_t offset,
                                         const struct ticket_event *e) {
    int part = part_of_news(view, topic, partition, offset, &e->id, e->version);
    if (part < 0 || is_new_place(e)) return NULL;
    struct str none = {0}, texts[] = {e->title, e->has_venue ? e->venue : none, e->has_city ? e->city : none};
    struct live_item *item = new_item(LIVE_TICKET, e->id, e->user_id, e->version, texts);
    if (e->has_date) clock_parse(e->date, &item->date);
    item->created = e->type == TICKET_CREATED;
    if (e->has_show_id) item->show = e->show_id;
    item->status = e->status;
    item->price.minor = e->price;
    size_t n = e->currency.n < 3 ? e->currency.n : 3;
    memcpy(item->price.currency, e->currency.p, n);
    if (e->has_order_id) {
        const struct live_item *order = live_view_find(view, &e->order_id);
        item->order = e->order_id;
        if (order != NULL) item->holder = order->owner;
    }
    return keep(view, part, offset, item);
}

const struct live_item *live_view_order(struct live_view *view, int topic, int32_t partition, int64_t offset,
                                        const struct order_event *e) {
    int part = part_of_news(view, topic, partition, offset, &e->id, e->version);
    if (part < 0) return NULL;
    struct live_item *item = new_item(LIVE_ORDER, e->id, e->user_id, e->version, (struct str[LIVE_TEXTS]){0});
    item->created = e->type == ORDER_CREATED;
    item->ticket = e->ticket_id;
    return keep(view, part, offset, item);
}
