#include "recent.h"

#include <stdlib.h>

#include "buf.h"
#include "mem.h"

/* A thread's part takes 16 MiB at most. The largest seated area that fits a request has a map of 256 KiB or
 * so; standing areas of a million have more, and nobody looks at these. */
enum { SLOTS = 64, BODY_MOST = 256 * 1024, KEY_MOST = 1024 };

/* For FRESH_US an answer is given as it is. After that the first who asks gets a new one from the database,
 * and another one each WAIT_US until there is one; the others get the old one meanwhile, up to LAST_US. That
 * is far more than a question takes: where a slow database made the old answer vanish, everybody would ask.
 */
enum { FRESH_US = 500 * 1000, LAST_US = 3000 * 1000, WAIT_US = 200 * 1000 };

struct slot {
    int64_t kept_us, asked_us;
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

bool recent_find(struct recent *recent, int thread, struct str key, int64_t now_us,
                 struct recent_answer *out) {
    struct slot *slot = &recent->slots[slot_of(thread, key)];
    if (slot->body.len == 0 || !str_eq(buf_str(&slot->key), key)) return false;
    *out = (struct recent_answer){buf_str(&slot->body), buf_str(&slot->link)};
    int64_t age_us = now_us - slot->kept_us;
    if (age_us < FRESH_US || (age_us < LAST_US && now_us - slot->asked_us < WAIT_US)) return true;
    slot->asked_us = now_us;
    return false;
}

static void replace(struct buf *out, struct str text) {
    out->len = 0;
    buf_add(out, text.p, text.n);
}

void recent_put(struct recent *recent, int thread, struct str key, int64_t now_us,
                struct recent_answer answer) {
    struct slot *slot = &recent->slots[slot_of(thread, key)];
    if (answer.body.n > BODY_MOST || key.n > KEY_MOST) return;
    slot->kept_us = now_us;
    slot->asked_us = 0;
    replace(&slot->key, key);
    replace(&slot->body, answer.body);
    replace(&slot->link, answer.link);
}
