/* What sales counts: windows against a model that recounts a plain list each time, and the records of its
 * state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "buf.h"
#include "partitions.h"

enum { MINUTE_MS = 60000, TICKETS = 12, CHANGES = 400, MINUTES = 9, KEEP = 100 };

/* --- the model: all changes that can be told, and which were --- */

static struct sale changes[CHANGES];
static bool told[CHANGES];

static struct uuid id_of(int kind, int n) {
    return (struct uuid){.b = {[0] = (uint8_t)kind, [14] = (uint8_t)(n >> 8), [15] = (uint8_t)n}};
}

static void make_changes(unsigned seed) {
    srand(seed);
    memset(told, 0, sizeof told);
    for (int i = 0; i < CHANGES; i++) {
        int order = i / 2; /* each order has two changes */
        changes[i] = (struct sale){.ticket = id_of(1, order % TICKETS),
                                   .order = id_of(2, order),
                                   .version = 1 + i % 2,
                                   .kind = (enum sale_kind)(rand() % SALE_KINDS),
                                   .at_ms = rand() % (MINUTES * MINUTE_MS),
                                   .price = rand() % 1000,
                                   .currency = {'E', 'U', 'R'}};
    }
}

static int minute_of(const struct sale *s) {
    return (int)(s->at_ms / MINUTE_MS);
}

/* What must be said of a ticket's minute, by the changes told. False: nothing happened in it. */
static bool model_row(int ticket, int minute, struct sales_event *row) {
    *row = (struct sales_event){.ticket_id = id_of(1, ticket), .minute = minute * INT64_C(60000000)};
    bool any = false;
    for (int i = 0; i < CHANGES; i++) {
        const struct sale *s = &changes[i];
        bool cancelled = s->kind == SALE_CANCELLED || s->kind == SALE_EXPIRED;
        if (!told[i] || !uuid_eq(&s->ticket, &row->ticket_id) || minute_of(s) > minute) continue;
        row->version++;
        row->total_placed += s->kind == SALE_PLACED;
        row->total_sold += s->kind == SALE_SOLD;
        row->total_cancelled += cancelled;
        row->total_expired += s->kind == SALE_EXPIRED;
        row->total_revenue += s->kind == SALE_SOLD ? s->price : 0;
        if (minute_of(s) < minute) continue;
        any = true;
        row->placed += s->kind == SALE_PLACED;
        row->sold += s->kind == SALE_SOLD;
        row->cancelled += cancelled;
        row->expired += s->kind == SALE_EXPIRED;
        row->revenue += s->kind == SALE_SOLD ? s->price : 0;
        if (s->at_ms * 1000 > row->occurred_at) row->occurred_at = s->at_ms * 1000;
    }
    return any;
}

/* --- what is said --- */

static struct sales_event rows[TICKETS][MINUTES];
static bool said[TICKETS][MINUTES];
static struct buf state; /* (key length, key, value length, value) of each record, in order */
static int64_t last_minute;

static void put_text(const void *p, size_t n) {
    uint32_t length = (uint32_t)n;
    buf_add(&state, &length, sizeof length);
    buf_add(&state, p, n);
}

static void take_row(void *arg, const struct sales_event *row) {
    (void)arg;
    int ticket = row->ticket_id.b[15], minute = (int)(row->minute / 60000000);
    assert_true(row->minute > last_minute); /* oldest first */
    last_minute = row->minute;
    assert_true(!said[ticket][minute] || row->version > rows[ticket][minute].version);
    assert_true(str_eq(row->currency, STR("EUR")));
    rows[ticket][minute] = *row;
    said[ticket][minute] = true;
}

static void take_ticket(void *arg, const struct ticket *t) {
    struct buf value = {0};
    uint8_t key[STATE_KEY_MOST];
    last_minute = -1;
    partition_ticket_rows(t, 0, take_row, arg);
    for (uint32_t i = 0; i < t->nwindows; i++) {
        if (!t->windows[i].changed) continue;
        put_text(key, state_window_key(key, t, &t->windows[i]));
        state_window_value(&value, t, &t->windows[i]);
        put_text(value.data, value.len);
    }
    buf_free(&value);
}

static void take_ticket_nowhere(void *arg, const struct ticket *t) {
    (void)arg;
    assert_true(t->changed);
}

static void assert_rows_are_right(void) {
    for (int t = 0; t < TICKETS; t++)
        for (int m = 0; m < MINUTES; m++) {
            struct sales_event row;
            bool any = model_row(t, m, &row);
            assert_int_equal(said[t][m], any);
            if (!any) continue;
            row.currency = rows[t][m].currency;
            /* What follows the last field is anything. */
            assert_memory_equal(&row, &rows[t][m], offsetof(struct sales_event, final) + sizeof row.final);
        }
}

static void tell(struct windows *w, int i) {
    enum count_result result = windows_count(w, &changes[i]);
    if (told[i])
        assert_int_equal(result, COUNT_KNOWN);
    else
        assert_true(result == COUNT_NEW || result == COUNT_LATE);
    told[i] = true;
}

static void forget_what_was_said(void) {
    memset(rows, 0, sizeof rows);
    memset(said, 0, sizeof said);
    state.len = 0;
}

static int tear_down(void **unused) {
    (void)unused;
    buf_free(&state);
    state = (struct buf){0};
    return 0;
}

/* --- windows --- */

static void any_order_any_number_of_times(void **unused) {
    (void)unused;
    for (unsigned seed = 1; seed <= 20; seed++) {
        make_changes(seed);
        forget_what_was_said();
        struct windows *w = windows_new(KEEP);
        for (int i = 0; i < 3 * CHANGES; i++) {
            tell(w, rand() % CHANGES);
            if (rand() % 20 != 0) continue;
            windows_take_changes(w, take_ticket, NULL);
            assert_rows_are_right();
        }
        windows_free(w);
    }
}

static void nothing_new_is_not_said_again(void **unused) {
    (void)unused;
    make_changes(99);
    forget_what_was_said();
    struct windows *w = windows_new(KEEP);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CHANGES; i++)
            tell(w, i);
        windows_take_changes(w, take_ticket, NULL);
        assert_rows_are_right();
        assert_int_equal(state.len == 0, round == 1);
        state.len = 0;
    }
    windows_free(w);
}

static void late_is_what_comes_after_a_later_minute(void **unused) {
    (void)unused;
    struct windows *w = windows_new(KEEP);
    struct sale s = {.ticket = id_of(1, 1), .order = id_of(2, 1), .version = 1, .at_ms = 5 * MINUTE_MS};
    assert_int_equal(windows_count(w, &s), COUNT_NEW);
    s.version = 2;
    s.at_ms = 5 * MINUTE_MS + 59999;
    assert_int_equal(windows_count(w, &s), COUNT_NEW);
    s.ticket = id_of(1, 2);
    s.at_ms = 5 * MINUTE_MS - 1;
    assert_int_equal(windows_count(w, &s), COUNT_LATE);
    s.at_ms = 5 * MINUTE_MS + 1;
    assert_int_equal(windows_count(w, &s), COUNT_NEW);
    windows_free(w);
}

static void what_cannot_be_is_refused(void **unused) {
    (void)unused;
    struct windows *w = windows_new(KEEP);
    struct sale good = {.ticket = id_of(1, 1),
                        .order = id_of(2, 1),
                        .version = 1,
                        .currency = {'E', 'U', 'R'}},
                s = good;
    assert_int_equal(windows_count(w, &good), COUNT_NEW);
    s.currency[0] = 'X';
    assert_int_equal(windows_count(w, &s), COUNT_REFUSED);
    s = good;
    s.at_ms = -1;
    assert_int_equal(windows_count(w, &s), COUNT_REFUSED);
    s = good;
    s.version = -1;
    assert_int_equal(windows_count(w, &s), COUNT_REFUSED);
    s.version = INT32_MAX;
    assert_int_equal(windows_count(w, &s), COUNT_REFUSED);
    assert_int_equal(windows_size(w).windows, 1);
    windows_free(w);
}

static void many_tickets_are_told_apart(void **unused) {
    (void)unused;
    enum { MANY = 5000 };
    struct windows *w = windows_new(KEEP);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MANY; i++) { /* ids that count up, and their halves the other way round */
            struct sale s = {.ticket = id_of(1, i), .order = id_of(2, i), .version = 1};
            if (i % 2) memcpy(s.ticket.b, s.ticket.b + 8, 8);
            s.ticket.b[8] = (uint8_t)(i % 2);
            assert_int_equal(windows_count(w, &s), round == 0 ? COUNT_NEW : COUNT_KNOWN);
        }
    assert_int_equal(windows_size(w).tickets, MANY);
    assert_int_equal(windows_size(w).windows, MANY);
    windows_free(w);
}

static struct sale sale_of_ticket(int ticket, enum sale_kind kind, int minute) {
    return (struct sale){.ticket = id_of(1, ticket),
                         .order = id_of(2, ticket),
                         .version = 1 + (int)kind,
                         .kind = kind,
                         .at_ms = minute * (int64_t)MINUTE_MS,
                         .currency = {'E', 'U', 'R'}};
}

static int ngone;

static void count_gone(void *arg, const struct ticket *t) {
    (void)arg;
    assert_int_equal(t->id.b[15] % 3, 0);
    ngone++;
}

/* Every third ticket is sold. After KEEP minutes these are gone, and what is told of them again is not
 * counted; the others are all still found, wherever the gaps have moved them. */
static void sold_tickets_are_forgotten_in_time(void **unused) {
    (void)unused;
    enum { MANY = 250 };
    struct windows *w = windows_new(KEEP);
    for (int i = 0; i < MANY; i++) {
        struct sale placed = sale_of_ticket(i, SALE_PLACED, 5), sold = sale_of_ticket(i, SALE_SOLD, 6);
        windows_count(w, &placed);
        if (i % 3 == 0) windows_count(w, &sold);
    }
    struct sale later = sale_of_ticket(MANY + 1, SALE_PLACED, 6 + KEEP);
    windows_count(w, &later);
    windows_take_changes(w, take_ticket_nowhere, NULL);
    windows_sweep(w, 5000);
    assert_false(windows_have_gone(w));
    later = sale_of_ticket(MANY + 2, SALE_PLACED, 7 + KEEP);
    windows_count(w, &later);
    size_t before = windows_size(w).bytes;
    windows_sweep(w, 5000);
    windows_take_gone(w, count_gone, NULL);
    assert_int_equal(ngone, (MANY + 2) / 3);
    windows_free_gone(w);
    assert_int_equal(windows_size(w).tickets, MANY + 2 - ngone);
    assert_true(windows_size(w).bytes < before);
    for (int i = 0; i < MANY; i++) {
        struct sale again = sale_of_ticket(i, SALE_PLACED, 5), new = sale_of_ticket(i, SALE_CANCELLED, 50);
        assert_int_equal(windows_count(w, &again), COUNT_OLD);
        if (i % 3 != 0) assert_int_equal(windows_count(w, &new), COUNT_LATE);
    }
    assert_int_equal(windows_size(w).tickets, MANY + 2 - ngone);
    windows_drop(w, &(struct uuid){.b = {1, [15] = 1}});
    windows_drop(w, &(struct uuid){.b = {1, [15] = 3}}); /* one that is gone */
    assert_int_equal(windows_size(w).tickets, MANY + 1 - ngone);
    windows_free(w);
}

/* --- the state --- */

static rd_kafka_message_t message(struct str key, struct str value, int64_t offset) {
    return (rd_kafka_message_t){.partition = 7,
                                .offset = offset,
                                .key = (void *)(uintptr_t)key.p,
                                .key_len = key.n,
                                .payload = (void *)(uintptr_t)value.p,
                                .len = value.n};
}

static struct str next_text(size_t *at) {
    uint32_t n;
    memcpy(&n, state.data + *at, sizeof n);
    struct str text = {(const char *)state.data + *at + sizeof n, n};
    *at += sizeof n + n;
    return text;
}

static enum status restore(struct partitions *ps, struct str key, struct str value, int64_t offset) {
    rd_kafka_message_t m = message(key, value, offset);
    struct why w;
    return partitions_restore(ps, &m, &w);
}

static void restore_end(struct partitions *ps, int64_t offset) {
    rd_kafka_message_t m = {.partition = 7, .offset = offset, .err = RD_KAFKA_RESP_ERR__PARTITION_EOF};
    struct why w;
    assert_int_equal(partitions_restore(ps, &m, &w), ST_OK);
}

static struct partition *begin(struct partitions *ps, int64_t noted) {
    partitions_begin(ps, 1, KEEP);
    ps->all[0].number = 7;
    ps->all[0].committed = noted;
    return &ps->all[0];
}

/* What is told from then on is said as if nothing had happened. */
static void it_goes_on_from_its_records(void **unused) {
    (void)unused;
    for (unsigned seed = 1; seed <= 10; seed++) {
        make_changes(seed);
        forget_what_was_said();
        struct partitions ps = {0};
        struct windows *before = windows_new(KEEP);
        for (int i = 0; i < 300; i++) {
            tell(before, rand() % CHANGES);
            if (i % 30 == 29) windows_take_changes(before, take_ticket, NULL);
        }
        windows_free(before);
        struct partition *p = begin(&ps, -1);
        int64_t offset = 0;
        for (size_t at = 0; at < state.len; offset++) {
            struct str key = next_text(&at), value = next_text(&at);
            assert_int_equal(restore(&ps, key, value, offset), ST_OK);
        }
        for (int i = 0; i < CHANGES; i++)
            tell(p->windows, i);
        windows_take_changes(p->windows, take_ticket, NULL);
        assert_rows_are_right();
        partitions_free(&ps);
    }
}

static void it_is_whole_when_its_position_has_come(void **unused) {
    (void)unused;
    struct partitions ps = {0};
    struct buf value = {0};
    uint8_t key[STATE_KEY_MOST];
    struct partition *p = begin(&ps, 1000);
    size_t n = state_position_key(key);
    assert_false(partition_is_whole(p));
    restore_end(&ps, 3); /* the transaction's records are not there yet */
    assert_false(partition_is_whole(p));
    state_position_value(&value, 999, 0);
    assert_int_equal(restore(&ps, (struct str){(char *)key, n}, buf_str(&value), 3), ST_OK);
    restore_end(&ps, 4);
    assert_false(partition_is_whole(p));
    assert_false(partition_is_lost(p));
    state_position_value(&value, 1000, 0);
    assert_int_equal(restore(&ps, (struct str){(char *)key, n}, buf_str(&value), 5), ST_OK);
    assert_false(partition_is_whole(p)); /* something may follow */
    restore_end(&ps, 7);
    assert_true(partition_is_whole(p));
    assert_int_equal(p->kept, 1000);
    p->at_end_us -= INT64_C(1000000) * 3600;
    assert_true(partition_is_lost(p));
    p = begin(&ps, -1);
    restore_end(&ps, 0);
    assert_true(partition_is_whole(p)); /* nobody was here before */
    partitions_free(&ps);
    buf_free(&value);
}

static void it_is_not_whole_when_windows_are_missing(void **unused) {
    (void)unused;
    struct partitions ps = {0};
    struct buf value = {0};
    uint8_t key[STATE_KEY_MOST];
    struct partition *p = begin(&ps, 1000);
    char first[20] = {1}, second[20] = {2}, window[14 + 20] = {1};
    size_t n = state_position_key(key);
    assert_int_equal(restore(&ps, (struct str){first, 20}, (struct str){window, sizeof window}, 0), ST_OK);
    state_position_value(&value, 1000, 2);
    assert_int_equal(restore(&ps, (struct str){(char *)key, n}, buf_str(&value), 1), ST_OK);
    restore_end(&ps, 2);
    assert_false(partition_is_whole(p));
    assert_int_equal(restore(&ps, (struct str){second, 20}, (struct str){window, sizeof window}, 2), ST_OK);
    restore_end(&ps, 3);
    assert_true(partition_is_whole(p));
    partitions_free(&ps);
    buf_free(&value);
}

static void a_clock_gone_wrong_stops_nothing(void **unused) {
    (void)unused;
    enum { HOUR_MS = 3600000 };
    struct partitions ps = {0};
    struct partition *p = begin(&ps, -1);
    const int64_t now_ms = INT64_C(1800000000000);
    struct order_event o = {.type = ORDER_CREATED, .currency = STR("EUR"), .occurred_at = now_ms * 1000};
    assert_int_equal(partition_count(p, &o, 0, now_ms), COUNT_NEW);
    o.version = 1;
    o.occurred_at = (now_ms + HOUR_MS + 1) * 1000;
    assert_int_equal(partition_count(p, &o, 1, now_ms), COUNT_REFUSED);
    o.occurred_at = now_ms * 1000;
    assert_int_equal(partition_count(p, &o, 2, now_ms + INT64_C(40) * 86400 * 1000), COUNT_NEW);
    assert_int_equal(p->position, 3);
    partitions_free(&ps);
}

static void records_of_another_format_are_refused(void **unused) {
    (void)unused;
    struct partitions ps = {0};
    begin(&ps, -1);
    char key[20] = {0}, window[14 + 20] = {1}, position[17] = {1};
    assert_int_equal(restore(&ps, (struct str){key, 20}, (struct str){window, sizeof window}, 0), ST_OK);
    assert_int_equal(restore(&ps, (struct str){key, 20}, (struct str){window, 14}, 1), ST_OK);
    for (size_t n = 0; n < sizeof window; n++)
        if (n != 14)
            assert_int_equal(restore(&ps, (struct str){key, 20}, (struct str){window, n}, 2), ST_INVALID);
    assert_int_equal(restore(&ps, (struct str){key, 19}, (struct str){window, sizeof window}, 2), ST_INVALID);
    assert_int_equal(restore(&ps, (struct str){"p", 1}, (struct str){position, 17}, 2), ST_OK);
    assert_int_equal(restore(&ps, (struct str){"q", 1}, (struct str){position, 17}, 2), ST_INVALID);
    assert_int_equal(restore(&ps, (struct str){"p", 1}, (struct str){position, 16}, 2), ST_INVALID);
    assert_int_equal(windows_size(ps.all[0].windows).tickets, 1);
    assert_int_equal(restore(&ps, (struct str){key, 20}, (struct str){NULL, 0}, 3), ST_OK); /* is gone */
    assert_int_equal(windows_size(ps.all[0].windows).tickets, 0);
    char of_show[14 + 16 + 20] = {2};
    for (size_t n = 0; n <= sizeof of_show; n++)
        assert_int_equal(restore(&ps, (struct str){key, 20}, (struct str){of_show, n}, 3) == ST_OK,
                         n == 30 || n == 50);
    assert_int_equal(restore(&ps, (struct str){key, 20}, (struct str){NULL, 0}, 3), ST_OK);
    position[0] = 2; /* only windows have a show */
    assert_int_equal(restore(&ps, (struct str){"p", 1}, (struct str){position, 17}, 3), ST_INVALID);
    window[0] = position[0] = 3;
    assert_int_equal(restore(&ps, (struct str){key, 20}, (struct str){window, sizeof window}, 3), ST_INVALID);
    assert_int_equal(restore(&ps, (struct str){"p", 1}, (struct str){position, 17}, 3), ST_INVALID);
    partitions_free(&ps);
}

/* --- what is final --- */

static void promise(struct partition *p, int64_t ms, int64_t offset, int64_t epoch) {
    partition_promise(p,
                      &(struct watermark_event){.occurred_at = ms * 1000, .offset = offset, .epoch = epoch});
}

static uint32_t closed_until(struct partition *p) {
    if (!partition_has_final(p)) return 0;
    partition_close(p);
    windows_take_changes(p->windows, take_ticket_nowhere, NULL);
    p->final = p->closing;
    p->closing = 0;
    return p->final;
}

static void a_promise_counts_once_all_before_it_is_counted(void **unused) {
    (void)unused;
    struct partitions ps = {0};
    partitions_begin(&ps, 1, KEEP);
    struct partition *p = &ps.all[0];
    assert_false(partition_has_final(p));
    promise(p, 3 * MINUTE_MS - 1, 10, 1);
    assert_false(partition_has_final(p));
    promise(p, 9 * MINUTE_MS, 20, 1); /* waits its turn */
    p->position = 9;
    assert_int_equal(closed_until(p), 0);
    p->position = 10;
    assert_int_equal(closed_until(p), 2);
    promise(p, 5 * MINUTE_MS, 12, 1);
    p->position = 12;
    assert_int_equal(closed_until(p), 5);
    promise(p, 4 * MINUTE_MS, 12, 1); /* says nothing new */
    assert_int_equal(closed_until(p), 0);
    promise(p, 7 * MINUTE_MS, 1000, 1);
    promise(p, 6 * MINUTE_MS, 12, 2); /* a new epoch: the one that waits is void */
    assert_int_equal(closed_until(p), 6);
    promise(p, 8 * MINUTE_MS, 12, 1);
    assert_int_equal(closed_until(p), 0);
    partitions_free(&ps);
}

static int nrows, nfinal;

static void count_row(void *arg, const struct sales_event *row) {
    (void)arg;
    nrows++;
    nfinal += row->final;
}

static void count_rows(void *until, const struct ticket *t) {
    partition_ticket_rows(t, *(const uint32_t *)until, count_row, NULL);
}

static void a_window_that_closes_is_told_once_more_alone(void **unused) {
    (void)unused;
    struct windows *w = windows_new(KEEP);
    struct sale sale = {
        .ticket = id_of(1, 1), .order = id_of(2, 1), .version = 1, .currency = {'E', 'U', 'R'}};
    for (int minute = 0; minute < 4; minute++) {
        sale.at_ms = minute * MINUTE_MS;
        sale.version++;
        assert_int_equal(windows_count(w, &sale), COUNT_NEW);
    }
    uint32_t until = 0;
    windows_take_changes(w, count_rows, &until);
    assert_int_equal(nrows, 4);
    assert_int_equal(nfinal, 0);
    until = 3;
    assert_int_equal(windows_close(w, 1, until, 2), until);
    windows_take_changes(w, count_rows, &until);
    assert_int_equal(nrows, 4 + 2);
    assert_int_equal(nfinal, 2);
    windows_take_changes(w, count_rows, &until);
    assert_int_equal(nrows, 4 + 2);
    sale.at_ms = 2 * MINUTE_MS + 1; /* late: this one and the next, of which one is final */
    sale.version++;
    assert_int_equal(windows_count(w, &sale), COUNT_LATE);
    windows_take_changes(w, count_rows, &until);
    assert_int_equal(nrows, 4 + 2 + 2);
    assert_int_equal(nfinal, 2 + 1);
    windows_free(w);
}

static void windows_close_some_minutes_at_a_time(void **unused) {
    (void)unused;
    struct windows *w = windows_new(KEEP);
    struct sale sale = {
        .ticket = id_of(1, 1), .order = id_of(2, 1), .version = 1, .currency = {'E', 'U', 'R'}};
    for (int minute = 100; minute < 200; minute++) {
        sale.at_ms = minute * MINUTE_MS;
        sale.version++;
        assert_int_equal(windows_count(w, &sale), COUNT_NEW);
    }
    uint32_t until = 300, from = 0;
    windows_take_changes(w, count_rows, &until);
    nrows = nfinal = 0;
    for (int times = 0; from < until; times++) {
        int before = nrows;
        from = windows_close(w, from, until, 30);
        windows_take_changes(w, count_rows, &from);
        assert_in_range(nrows - before, 0, 30);
        assert_in_range(times, 0, 12);
    }
    assert_int_equal(nrows, 100);
    assert_int_equal(nfinal, 100);
    assert_int_equal(windows_close(w, 150, 152, 1), 151);
    assert_int_equal(windows_close(w, 151, 152, 0), 152);
    windows_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(any_order_any_number_of_times, tear_down),
        cmocka_unit_test_teardown(nothing_new_is_not_said_again, tear_down),
        cmocka_unit_test(late_is_what_comes_after_a_later_minute),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(many_tickets_are_told_apart),
        cmocka_unit_test(sold_tickets_are_forgotten_in_time),
        cmocka_unit_test_teardown(it_goes_on_from_its_records, tear_down),
        cmocka_unit_test(it_is_whole_when_its_position_has_come),
        cmocka_unit_test(it_is_not_whole_when_windows_are_missing),
        cmocka_unit_test(a_clock_gone_wrong_stops_nothing),
        cmocka_unit_test(records_of_another_format_are_refused),
        cmocka_unit_test(a_promise_counts_once_all_before_it_is_counted),
        cmocka_unit_test(a_window_that_closes_is_told_once_more_alone),
        cmocka_unit_test(windows_close_some_minutes_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
