#include "recent.h"

#include <stdlib.h>

#include "buf.h"
#include "mem.h"

/* A thread's part takes 24 MiB at most. The largest seated area that fits a request has a map of 256 KiB or
 * so; a standing area of a million places has one of 1.4 MiB. */
enum { SLOTS = 64, BODY_MOST = 2 << 20, LARGE = 256 << 10, LARGE_MOST = 4, KEY_MOST = 1024 };

/* For FRESH_US an answer is given as it is, and for longer if it took long, as the database is not to be busy
 * with it alone: for COST_TIMES as long as it took. After that the first who asks gets a new one from the
 * database, and another one each WAIT_US until there is one; the others get the old one meanwhile, up to
 * LAST_US. That is far more than a question takes: where a slow database made the old answer vanish,
 * everybody would ask.
 */
enum { FRESH_US = 500 * 1000, LAST_US = 3000 * 1000, WAIT_US = 200 * 1000, COST_TIMES = 8 };

struct slot {
    int64_t kept_us, asked_us, fresh_us;
    struct buf key, body, link;
};

struct recent {
    int threads;
    struct slot slots[]; /* SLOTS a thread */
};

struct recent *recent_new(int threads) {
    struct recent *recent = mem_alloc(sizeof *recent + (size_t)threads * SLOTS * sizeof(struct slot));
    recent->threads = threads;
    return recent;
}

void recent_free(struct recent *recent) {
    for (int i = 0; i < recent->threads * SLOTS; i++) {
        buf_free(&recent->slots[i].key);
        buf_free(&recent->slots[i].body);
        buf_free(&recent->slots[i].link);
    }
    free(recent);
}

/* FNV-1a. Whoever chooses keys that meet in a slot costs others a question each. */
static size_t slot_of(int thread, struct str key) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < key.n; i++)
        hash = (hash ^ (unsigned char)key.p[i]) * UINT64_C(0x100000001b3);
    return (size_t)thread * SLOTS + (hash ^ hash >> 32) % SLOTS;
}

static void replace(struct buf *out, struct str text) {
    out->len = 0;
    buf_add(out, text.p, text.n);
}

static struct slot *slot_with(struct recent *recent, int thread, struct str key) {
    struct slot *slot = &recent->slots[slot_of(thread, key)];
    return str_eq(buf_str(&slot->key), key) ? slot : NULL;
}

enum recent_look recent_find(struct recent *recent, int thread, struct str key, int64_t now_us,
                             struct recent_answer *out) {
    if (key.n > KEY_MOST) return RECENT_MISSING;
    struct slot *slot = slot_with(recent, thread, key);
    if (slot == NULL) { /* it takes over the slot of another */
        slot = &recent->slots[slot_of(thread, key)];
        replace(&slot->key, key);
        slot->body.len = 0;
        slot->asked_us = 0;
    }
    int64_t age_us = slot->body.len > 0 ? now_us - slot->kept_us : INT64_MAX;
    bool asked = slot->asked_us > 0 && now_us - slot->asked_us < WAIT_US;
    if (age_us < slot->fresh_us || (age_us < LAST_US && asked)) {
        *out = (struct recent_answer){buf_str(&slot->body), buf_str(&slot->link)};
        return RECENT_FOUND;
    }
    if (asked) return RECENT_ASKED;
    slot->asked_us = now_us;
    return RECENT_MISSING;
}

/* For one more large body: the oldest of them goes. */
static void make_room(struct recent *recent, int thread) {
    struct slot *slots = &recent->slots[(size_t)thread * SLOTS], *oldest = NULL;
    int count = 0;
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].body.cap <= LARGE) continue;
        count++;
        if (oldest == NULL || slots[i].kept_us < oldest->kept_us) oldest = &slots[i];
    }
    if (count >= LARGE_MOST) buf_free(&oldest->body);
}

void recent_put(struct recent *recent, int thread, struct str key, int64_t now_us,
                struct recent_answer answer) {
    if (key.n > KEY_MOST) return;
    if (answer.body.n > BODY_MOST) {
        recent_drop(recent, thread, key);
        return;
    }
    struct slot *slot = &recent->slots[slot_of(thread, key)];
    if (answer.body.n > LARGE && slot->body.cap <= LARGE) make_room(recent, thread);
    int64_t took_us = slot->asked_us > 0 ? now_us - slot->asked_us : 0;
    slot->fresh_us = took_us * COST_TIMES > FRESH_US ? took_us * COST_TIMES : FRESH_US;
    if (slot->fresh_us > LAST_US) slot->fresh_us = LAST_US;
    slot->kept_us = now_us;
    slot->asked_us = 0;
    replace(&slot->key, key);
    replace(&slot->body, answer.body);
    replace(&slot->link, answer.link);
}

void recent_drop(struct recent *recent, int thread, struct str key) {
    struct slot *slot = slot_with(recent, thread, key);
    if (slot == NULL) return;
    slot->body.len = 0;
    slot->asked_us = 0;
}
