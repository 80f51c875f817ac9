#include "partitions.h"

#include <stdlib.h>

#include "clock.h"
#include "mem.h"
#include "sales_metrics.h"

enum {
    LOST_US = 60 * 1000 * 1000, /* three times as long as a transaction that was left open lasts */
    AHEAD_MS = 3600 * 1000,     /* a change that is told so long before it is made is of a clock gone wrong */
    CLOSE_MOST = 50000,         /* windows that close in one transaction */
};

#define US_PER_MINUTE INT64_C(60000000)

void partitions_free(struct partitions *ps) {
    for (int i = 0; i < ps->count; i++)
        windows_free(ps->all[i].windows);
    for (int i = 0; i < ps->count; i++)
        areas_free(ps->all[i].areas);
    free(ps->all);
    buf_free(&ps->scratch);
    *ps = (struct partitions){0};
}

void partitions_begin(struct partitions *ps, int count, uint32_t keep) {
    partitions_free(ps);
    ps->all = mem_alloc((size_t)(count + 1) * sizeof *ps->all);
    ps->count = count;
    for (int i = 0; i < count; i++)
        ps->all[i] = (struct partition){
            .windows = windows_new(keep), .areas = areas_new(), .kept = -1, .committed = -1};
}

struct partition *partition_of(struct partitions *ps, int32_t number) {
    for (int i = 0; i < ps->count; i++)
        if (ps->all[i].number == number) return &ps->all[i];
    return NULL;
}

/* --- made again from the changelog --- */

enum status partitions_restore(struct partitions *ps, const rd_kafka_message_t *m, struct why *w) {
    struct partition *p = partition_of(ps, m->partition);
    if (p == NULL) return ST_OK;
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        p->next = m->offset;
        p->at_end_us = clock_mono_us();
        return ST_OK;
    }
    struct state_record r;
    struct why reason;
    struct str key = {m->key, m->key_len}, value = {m->payload, m->len};
    if (state_read(key, value, &ps->scratch, &r, &reason) != ST_OK)
        return why(w, ST_INVALID, "sales-changelog/%d@%lld: %.180s", m->partition, (long long)m->offset,
                   reason.text);
    p->next = m->offset + 1;
    p->at_end_us = 0;
    if (r.is_position) {
        p->kept = r.position;
        p->nkept = r.nwindows;
    } else if (r.is_gone) {
        windows_drop(p->windows, &r.ticket.id);
    } else {
        windows_put(p->windows, &r.ticket, &r.window);
    }
    return ST_OK;
}

bool partition_is_whole(const struct partition *p) {
    return p->at_end_us != 0 && p->kept >= p->committed && p->nkept == windows_size(p->windows).windows;
}

bool partition_is_lost(const struct partition *p) {
    return p->at_end_us != 0 && clock_mono_us() - p->at_end_us > LOST_US;
}

static const struct uuid none;

static void add_up(void *areas, const struct ticket *t) {
    if (!uuid_eq(&t->show, &none)) areas_add_ticket(areas, t, false);
}

void partition_add_up(struct partition *p) {
    windows_each(p->windows, add_up, p->areas);
}

/* --- counting --- */

/* False: not a change that counts. */
static bool sale_of(const struct order_event *o, struct sale *s) {
    switch (o->type) {
    case ORDER_CREATED:
        s->kind = SALE_PLACED;
        break;
    case ORDER_COMPLETED:
        s->kind = SALE_SOLD;
        break;
    case ORDER_CANCELLED:
        s->kind = o->has_reason && str_eq(o->reason, STR("expired")) ? SALE_EXPIRED : SALE_CANCELLED;
        break;
    default:
        return false;
    }
    s->ticket = o->ticket_id;
    s->show = o->has_show_id ? o->show_id : none;
    s->order = o->id;
    s->version = o->version;
    s->at_ms = o->occurred_at / 1000;
    s->price = o->price;
    memset(s->currency, ' ', CURRENCY_TEXT);
    memcpy(s->currency, o->currency.p, o->currency.n < CURRENCY_TEXT ? o->currency.n : CURRENCY_TEXT);
    return true;
}

/* One change from the future would make all that follow too old to be counted. */
enum count_result partition_count(struct partition *p, const struct order_event *order, int64_t offset,
                                  int64_t told_ms) {
    struct sale sale;
    p->position = offset + 1;
    if (!sale_of(order, &sale)) return COUNT_KNOWN;
    if (order->currency.n != CURRENCY_TEXT || sale.at_ms > told_ms + AHEAD_MS) return COUNT_REFUSED;
    const struct ticket *before = windows_find(p->windows, &sale.ticket);
    bool told_before = before != NULL && !uuid_eq(&before->show, &none);
    if (told_before) sale.show = before->show;
    enum count_result counted = windows_count(p->windows, &sale);
    if (uuid_eq(&sale.show, &none) || counted == COUNT_REFUSED || counted == COUNT_OLD) return counted;
    if (before != NULL && !told_before) /* all of it is new to its area */
        areas_add_ticket(p->areas, windows_find(p->windows, &sale.ticket), true);
    else if (counted != COUNT_KNOWN)
        areas_add_sale(p->areas, &sale);
    return counted;
}

/* --- what is final --- */

/* One that waits is not replaced by a later one: while there is much to be read, none would ever count. */
void partition_promise(struct partition *p, const struct watermark_event *promise) {
    bool waits = p->position < p->promised_offset;
    if (promise->epoch < p->promised_epoch) return;
    if (waits && promise->epoch == p->promised_epoch && promise->offset >= p->promised_offset) return;
    p->promised_epoch = promise->epoch;
    p->promised_offset = promise->offset;
    p->promised_ms = promise->occurred_at / 1000;
}

static uint32_t final_by_promise(const struct partition *p) {
    int64_t minute = p->position < p->promised_offset ? 0 : p->promised_ms * 1000 / US_PER_MINUTE;
    return minute > 0 && minute <= UINT32_MAX ? (uint32_t)minute : 0;
}

bool partition_has_final(const struct partition *p) {
    return final_by_promise(p) > p->final;
}

void partition_close(struct partition *p) {
    p->closing = windows_close(p->windows, p->final, final_by_promise(p), CLOSE_MOST);
    areas_close(p->areas, p->final, p->closing);
}

/* --- rows --- */

void partition_ticket_rows(const struct ticket *t, uint32_t final,
                           void (*row)(void *arg, const struct sales_event *row), void *arg) {
    struct sums total = {0};
    bool changed = false;
    for (uint32_t i = 0; i < t->nwindows; i++) {
        const struct window *v = &t->windows[i];
        struct sums in = {0};
        windows_sums_add(&in, v);
        windows_sums_add(&total, v);
        changed = changed || v->changed;
        if (!changed && !v->closing) continue;
        const struct sales_event event = {
            .type = SALES_COUNTED,
            .ticket_id = t->id,
            .version = total.placed + total.sold + total.cancelled,
            .occurred_at = v->minute * US_PER_MINUTE + v->last_ms * INT64_C(1000),
            .minute = v->minute * US_PER_MINUTE,
            .currency = {t->currency, CURRENCY_TEXT},
            .placed = in.placed,
            .sold = in.sold,
            .cancelled = in.cancelled,
            .expired = in.expired,
            .revenue = in.revenue,
            .total_placed = total.placed,
            .total_sold = total.sold,
            .total_cancelled = total.cancelled,
            .total_expired = total.expired,
            .total_revenue = total.revenue,
            .final = v->minute < final,
        };
        row(arg, &event);
    }
}

struct show_sales_event partition_area_row(const struct partition *p, const struct area *area,
                                           const struct area_minute *m) {
    const struct sums *in = &m->sums;
    uint32_t final = p->closing > p->final ? p->closing : p->final;
    return (struct show_sales_event){.type = AREA_COUNTED,
                                     .show_id = area->show,
                                     .area_id = area->id,
                                     .version = in->placed + in->sold + in->cancelled,
                                     .occurred_at = m->minute * US_PER_MINUTE + m->last_ms * INT64_C(1000),
                                     .minute = m->minute * US_PER_MINUTE,
                                     .part = p->number,
                                     .currency = {area->currency, CURRENCY_TEXT},
                                     .placed = in->placed,
                                     .sold = in->sold,
                                     .returned = in->cancelled,
                                     .expired = in->expired,
                                     .revenue = in->revenue,
                                     .final = m->minute < final};
}

void partition_forget(struct partition *p, uint32_t keep) {
    uint32_t newest = windows_newest(p->windows);
    if (newest > keep) areas_forget(p->areas, newest - keep);
}

void partitions_measure(const struct partitions *ps) {
    struct windows_size all = {0};
    for (int i = 0; i < ps->count; i++) {
        struct windows_size one = windows_size(ps->all[i].windows);
        all.tickets += one.tickets;
        all.windows += one.windows;
        all.bytes += one.bytes;
    }
    metric_set(M_SALES_TICKETS, (int64_t)all.tickets);
    metric_set(M_SALES_WINDOWS, (int64_t)all.windows);
    metric_set(M_SALES_BYTES, (int64_t)all.bytes);
}
