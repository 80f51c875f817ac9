#include "clock.h"
#include "mem.h"
#include "priv/sales_priv.h"
#include "sales_metrics.h"

const char *const sales_topics[] = {"orders", "watermarks", NULL};

struct writing {
    struct sales *sales;
    const struct partition *partition;
    enum status st;
    struct why *w;
};

static void write_row(void *writing, const struct sales_event *row) {
    struct writing *k = writing;
    if (k->st == ST_OK) k->st = output_row(&k->sales->output, k->partition->number, row, k->w);
    k->sales->rows++;
}

static void write_ticket(void *writing, const struct ticket *t) {
    struct writing *k = writing;
    struct buf *value = &k->sales->scratch;
    uint8_t key[STATE_KEY_MOST];
    const struct partition *p = k->partition;
    partition_ticket_rows(t, p->closing > p->final ? p->closing : p->final, write_row, k);
    for (uint32_t i = 0; i < t->nwindows && k->st == ST_OK; i++) {
        if (!t->windows[i].changed) continue;
        size_t n = state_window_key(key, t, &t->windows[i]);
        state_window_value(value, t, &t->windows[i]);
        k->st = output_state(&k->sales->output, k->partition->number, (struct str){(char *)key, n},
                             buf_str(value), k->w);
    }
}

/* All its windows at once: whoever meets the first of these forgets the others, too. */
static void write_gone(void *writing, const struct ticket *t) {
    struct writing *k = writing;
    uint8_t key[STATE_KEY_MOST];
    for (uint32_t i = 0; i < t->nwindows && k->st == ST_OK; i++) {
        size_t n = state_window_key(key, t, &t->windows[i]);
        k->st = output_state(&k->sales->output, k->partition->number, (struct str){(char *)key, n},
                             (struct str){NULL, 0}, k->w);
    }
}

static void write_area(void *writing, const struct area *area, const struct area_minute *m) {
    struct writing *k = writing;
    const struct show_sales_event row = partition_area_row(k->partition, area, m);
    if (k->st == ST_OK) k->st = output_area_row(&k->sales->output, &row, k->w);
    k->sales->rows++;
}

/* The position last, so that whoever has read it has read all that belongs to it. */
static enum status write_partition(struct writing *k, const struct partition *p) {
    uint8_t key[STATE_KEY_MOST];
    struct buf *value = &k->sales->scratch;
    k->partition = p;
    windows_take_gone(p->windows, write_gone, k); /* first: a ticket that is gone may have come back */
    windows_take_changes(p->windows, write_ticket, k);
    areas_take_changes(p->areas, write_area, k);
    if (k->st != ST_OK) return k->st;
    size_t n = state_position_key(key);
    state_position_value(value, p->position, windows_size(p->windows).windows);
    return k->st =
               output_state(&k->sales->output, p->number, (struct str){(char *)key, n}, buf_str(value), k->w);
}

/* With the position what is final: both are known to whoever has the partition next, or neither. */
static void add_position(rd_kafka_topic_partition_list_t *offsets, const struct partition *p) {
    char note[16];
    int n = snprintf(note, sizeof note, "%u", p->closing > p->final ? p->closing : p->final);
    rd_kafka_topic_partition_t *position =
        rd_kafka_topic_partition_list_add(offsets, sales_topics[TOPIC_ORDERS], p->number);
    position->offset = p->position;
    position->metadata = mem_strdup(note);
    position->metadata_size = (size_t)n;
}

/* Of one partition at a time: a minute of all of them is too much for one transaction. */
static void close_minutes(struct sales *x) {
    for (int i = 0; i < x->partitions.count; i++) {
        if (!partition_has_final(&x->partitions.all[i])) continue;
        partition_close(&x->partitions.all[i]);
        return;
    }
}

enum status sales_write(void *sales, rd_kafka_topic_partition_list_t *positions, struct why *w) {
    struct sales *x = sales;
    struct writing k = {.sales = x, .w = w};
    x->rows = 0;
    close_minutes(x);
    for (int i = 0; i < x->partitions.count && k.st == ST_OK; i++) {
        const struct partition *p = &x->partitions.all[i];
        if (p->position == p->published && p->closing == 0 && !windows_have_gone(p->windows)) continue;
        write_partition(&k, p);
        add_position(positions, p);
    }
    return k.st;
}

void sales_ended(void *sales, enum status st) {
    struct sales *x = sales;
    int64_t now_ms = clock_wall_us() / 1000;
    metric_add(st == ST_OK ? M_SALES_COMMITS : M_SALES_ABORTS, 1);
    if (st != ST_OK) return;
    for (int i = 0; i < x->gathered; i++)
        metric_observe_us(M_SALES_TIME, now_ms > x->came_ms[i] ? (now_ms - x->came_ms[i]) * 1000 : 0);
    metric_add(M_SALES_ROWS, x->rows);
    for (int i = 0; i < x->partitions.count; i++) {
        struct partition *p = &x->partitions.all[i];
        p->published = p->position;
        if (p->closing != 0) p->final = p->closing;
        p->closing = 0;
        windows_free_gone(p->windows);
    }
    x->gathered = 0;
}
