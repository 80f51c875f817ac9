#include "state.h"

#include <endian.h>
#include <string.h>

#include "buf.h"

enum {
    FORMAT = 1,
    FORMAT_SHOW = 2, /* of a window */
    POSITION_KEY = 'p',
    POSITION_VALUE = 1 + 8 + 8,
    WINDOW_KEY = 16 + 4,
    WINDOW_VALUE = CURRENCY_TEXT + 2 + 8, /* behind its format and show; and the list */
    IDENTITY = 16 + 4,
    SHOW = 16,
};

static const struct uuid none;

static void put16(struct buf *b, uint16_t v) {
    v = htobe16(v);
    buf_add(b, &v, sizeof v);
}

static void put32(struct buf *b, uint32_t v) {
    v = htobe32(v);
    buf_add(b, &v, sizeof v);
}

static void put64(struct buf *b, uint64_t v) {
    v = htobe64(v);
    buf_add(b, &v, sizeof v);
}

static void put_format(struct buf *b, uint8_t format) {
    b->len = 0;
    buf_add(b, &format, 1);
}

static uint32_t get32(const char *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return be32toh(v);
}

static int64_t get64(const char *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return (int64_t)be64toh(v);
}

size_t state_window_key(uint8_t key[STATE_KEY_MOST], const struct ticket *t, const struct window *v) {
    uint32_t minute = htobe32(v->minute);
    memcpy(key, t->id.b, sizeof t->id.b);
    memcpy(key + sizeof t->id.b, &minute, sizeof minute);
    return WINDOW_KEY;
}

void state_window_value(struct buf *out, const struct ticket *t, const struct window *v) {
    bool of_show = !uuid_eq(&t->show, &none);
    put_format(out, of_show ? FORMAT_SHOW : FORMAT);
    if (of_show) buf_add(out, t->show.b, sizeof t->show.b);
    buf_add(out, t->currency, CURRENCY_TEXT);
    put16(out, v->last_ms);
    put64(out, (uint64_t)v->revenue);
    for (uint32_t i = 0; i < v->ncounted; i++) {
        buf_add(out, v->counted[i].order.b, sizeof v->counted[i].order.b);
        put32(out, v->counted[i].version_kind);
    }
}

size_t state_position_key(uint8_t key[STATE_KEY_MOST]) {
    key[0] = POSITION_KEY;
    return 1;
}

void state_position_value(struct buf *out, int64_t position, uint64_t nwindows) {
    put_format(out, FORMAT);
    put64(out, (uint64_t)position);
    put64(out, nwindows);
}

/* value: behind its format. */
static void read_window(struct str key, struct str value, struct buf *scratch, struct state_record *out) {
    memcpy(out->ticket.id.b, key.p, sizeof out->ticket.id.b);
    out->window.minute = get32(key.p + sizeof out->ticket.id.b);
    const char *p = value.p;
    memcpy(out->ticket.currency, p, CURRENCY_TEXT);
    out->window.last_ms = (uint16_t)((uint8_t)p[CURRENCY_TEXT] << 8 | (uint8_t)p[CURRENCY_TEXT + 1]);
    out->window.revenue = get64(p + CURRENCY_TEXT + 2);
    out->window.ncounted = (uint32_t)((value.n - WINDOW_VALUE) / IDENTITY);
    scratch->len = 0;
    buf_reserve(scratch, out->window.ncounted * sizeof(struct counted));
    out->window.counted = (struct counted *)scratch->data;
    p = value.p + WINDOW_VALUE;
    for (uint32_t i = 0; i < out->window.ncounted; i++, p += IDENTITY) {
        memcpy(out->window.counted[i].order.b, p, 16);
        out->window.counted[i].version_kind = get32(p + 16);
    }
}

enum status state_read(struct str key, struct str value, struct buf *scratch, struct state_record *out,
                       struct why *w) {
    *out = (struct state_record){0};
    if (value.p == NULL && key.n == WINDOW_KEY) {
        out->is_gone = true;
        memcpy(out->ticket.id.b, key.p, sizeof out->ticket.id.b);
        return ST_OK;
    }
    int format =
        value.n == 0 ? FORMAT : value.p[0]; /* NOLINT(clang-analyzer-core.NullDereference): it has bytes */
    if (format != FORMAT && format != FORMAT_SHOW)
        return why(w, ST_INVALID, "it is of format %d, and this program knows format %d and before", format,
                   FORMAT_SHOW);
    if (format == FORMAT && key.n == 1 && key.p[0] == POSITION_KEY && value.n == POSITION_VALUE) {
        out->is_position = true;
        out->position = get64(value.p + 1);
        out->nwindows = (uint64_t)get64(value.p + 1 + 8);
        return ST_OK;
    }
    size_t head = format == FORMAT_SHOW ? 1 + SHOW : 1;
    if (key.n != WINDOW_KEY || value.n < head + WINDOW_VALUE ||
        (value.n - head - WINDOW_VALUE) % IDENTITY != 0)
        return why(w, ST_INVALID, "it is neither a window nor a position");
    if (format == FORMAT_SHOW) memcpy(out->ticket.show.b, value.p + 1, SHOW);
    read_window(key, (struct str){value.p + head, value.n - head}, scratch, out);
    return ST_OK;
}
