#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena.h"
#include "avro_random.h"
#include "events.h"

enum { RECORD_MAX = 8192 };

/* Decodes bytes that have nothing behind them. */
static enum status decode(const struct avro_type *type, const uint8_t *bytes, size_t n, void *event) {
    uint8_t *copy = exact_copy(bytes, n);
    enum status st = type->decode(copy, n, event);
    free(copy); /* strs of the event are not looked at afterwards */
    return st;
}

static void random_events_come_back(void **state) {
    (void)state;
    struct dice d = {.state = 1};
    uint8_t bytes[RECORD_MAX];
    for (int i = 0; i < 2000; i++) {
        const struct avro_type *type = event_topics[i % 5]->type;
        void *in = calloc(1, type->size), *out = malloc(type->size);
        memset(out, 0xa5, type->size);
        roll_event(&d, type, in);
        size_t n = type->encode(in, bytes, sizeof bytes);
        assert_in_range(n, 1, type->max_size(in));
        assert_int_equal(type->decode(bytes, n, out), ST_OK);
        assert_null(differing_field(type, in, out));
        free(in);
        free(out);
    }
    arena_free(&d.arena);
}

static void encoding_needs_just_its_size(void **state) {
    (void)state;
    struct dice d = {.state = 2};
    uint8_t bytes[RECORD_MAX];
    for (int i = 0; i < 500; i++) {
        const struct avro_type *type = event_topics[i % 5]->type;
        void *in = calloc(1, type->size);
        roll_event(&d, type, in);
        size_t n = type->encode(in, bytes, sizeof bytes);
        uint8_t *exact = malloc(n);
        assert_int_equal(type->encode(in, exact, n), n);
        assert_memory_equal(exact, bytes, n);
        for (size_t cap = 0; cap < n; cap++)
            assert_int_equal(type->encode(in, exact, cap), 0);
        free(exact);
        free(in);
    }
    arena_free(&d.arena);
}

static void no_part_of_a_record_is_one_nor_more_than_it(void **state) {
    (void)state;
    struct dice d = {.state = 3};
    uint8_t bytes[RECORD_MAX];
    for (int i = 0; i < 200; i++) {
        const struct avro_type *type = event_topics[i % 5]->type;
        void *event = calloc(1, type->size);
        roll_event(&d, type, event);
        size_t n = type->encode(event, bytes, sizeof bytes);
        for (size_t part = 0; part < n; part++)
            assert_int_equal(decode(type, bytes, part, event), ST_INVALID);
        bytes[n] = 0;
        assert_int_equal(decode(type, bytes, n + 1, event), ST_INVALID);
        free(event);
    }
    assert_int_equal(topic_tickets.type->decode(NULL, 0, &(struct ticket_event){0}), ST_INVALID);
    arena_free(&d.arena);
}

/* What is accepted after a change of one byte is written again as the same bytes: one value has one encoding.
 * (But for a uuid in capitals, which comes back in lower case.) */
static void changed_bytes_are_refused_or_another_record(void **state) {
    (void)state;
    struct dice d = {.state = 4};
    uint8_t bytes[RECORD_MAX], again[RECORD_MAX];
    for (int i = 0; i < 20000; i++) {
        const struct avro_type *type = event_topics[i % 5]->type;
        void *event = calloc(1, type->size);
        roll_event(&d, type, event);
        size_t n = type->encode(event, bytes, sizeof bytes);
        bytes[roll(&d) % n] = (uint8_t)roll(&d);
        uint8_t *copy = exact_copy(bytes, n);
        if (type->decode(copy, n, event) == ST_OK) {
            assert_int_equal(type->encode(event, again, sizeof again), n);
            for (size_t j = 0; j < n; j++)
                assert_true(again[j] == copy[j] || again[j] == (copy[j] | 0x20));
        }
        free(copy);
        free(event);
    }
    arena_free(&d.arena);
}

/* --- values one by one --- */

struct bytes {
    const char *p;
    size_t n;
};
#define BYTES(literal)                                                                                       \
    { (literal), sizeof(literal) - 1 }

static void numbers_that_are_none(void **state) {
    (void)state;
    static const struct bytes bad[] = {
        BYTES(""),
        BYTES("\x80"),                                         /* goes on, but nothing is there */
        BYTES("\x80\x00"),                                     /* longer than it needs to be */
        BYTES("\x82\x80\x00"),                                 /* the same */
        BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),     /* 65 bits */
        BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00"), /* eleven bytes */
    };
    int64_t v;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t *copy = exact_copy((const uint8_t *)bad[i].p, bad[i].n);
        assert_null(avro_get_long(copy, copy + bad[i].n, &v));
        free(copy);
    }
}

static void numbers_at_their_limits(void **state) {
    (void)state;
    const int64_t longs[] = {0,    -1,   1,         63,        64,        -64,      -65,
                             8191, 8192, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof longs / sizeof *longs; i++) {
        uint8_t bytes[AVRO_LONG_MAX];
        size_t n = (size_t)(avro_put_long(bytes, longs[i]) - bytes);
        assert_int_equal(n, avro_long_size(longs[i]));
        int64_t v = 7;
        assert_ptr_equal(avro_get_long(bytes, bytes + n, &v), bytes + n);
        assert_true(v == longs[i]);
        int32_t narrow;
        bool fits = longs[i] >= INT32_MIN && longs[i] <= INT32_MAX;
        assert_int_equal(avro_get_int(bytes, bytes + n, &narrow) != NULL, fits);
    }
    uint8_t bytes[AVRO_LONG_MAX];
    int32_t narrow;
    assert_null(avro_get_int(bytes, avro_put_long(bytes, (int64_t)INT32_MAX + 1), &narrow));
    assert_null(avro_get_int(bytes, avro_put_long(bytes, (int64_t)INT32_MIN - 1), &narrow));
}

static bool time_taken(int64_t ms) {
    uint8_t bytes[AVRO_LONG_MAX];
    int64_t us;
    return avro_get_time(bytes, avro_put_long(bytes, ms), &us) != NULL;
}

static void times_between_the_years_1_and_9999(void **state) {
    (void)state;
    assert_true(time_taken(AVRO_TIME_FIRST));
    assert_true(time_taken(AVRO_TIME_LAST));
    assert_false(time_taken(AVRO_TIME_FIRST - 1));
    assert_false(time_taken(AVRO_TIME_LAST + 1));
    assert_false(time_taken(INT64_MAX));
    assert_in_range(avro_long_size(AVRO_TIME_FIRST), 1, AVRO_TIME_MAX);
    assert_in_range(avro_long_size(AVRO_TIME_LAST), 1, AVRO_TIME_MAX);
    assert_int_equal(avro_time_ms(1999), 1);
    assert_int_equal(avro_time_ms(-1), -1);
    assert_int_equal(avro_time_ms(-1000), -1);
    assert_int_equal(avro_time_ms(-1001), -2);
}

static bool string_taken(const char *wire, size_t n) {
    uint8_t *copy = exact_copy((const uint8_t *)wire, n);
    struct str v;
    bool taken = avro_get_string(copy, copy + n, &v) == copy + n;
    free(copy);
    return taken;
}
#define TAKEN(literal) string_taken((literal), sizeof(literal) - 1)

static void strings_of_text_only(void **state) {
    (void)state;
    assert_true(TAKEN("\x00"));
    assert_true(TAKEN("\x08"
                      "abcd"));
    assert_true(TAKEN("\x04\xc3\xb6"));
    assert_false(TAKEN("\x0a"
                       "abcd"));                                     /* one more than is there */
    assert_false(TAKEN("\x01"));                                     /* -1 */
    assert_false(TAKEN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")); /* the lowest length there is */
    assert_false(TAKEN("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01")); /* the highest */
    assert_false(TAKEN("\x02\x00"));
    assert_false(TAKEN("\x02\xff"));
    assert_false(TAKEN("\x04\xc0\x80"));     /* overlong NUL */
    assert_false(TAKEN("\x06\xed\xa0\x80")); /* half a surrogate pair */
    assert_false(TAKEN("\x14"
                       "abcdefgh\xc3\x28"));
}

static bool uuid_taken(const char *text, struct uuid *out) {
    uint8_t *wire = malloc(1 + strlen(text));
    wire[0] = (uint8_t)(2 * strlen(text));
    memcpy(wire + 1, text, strlen(text));
    bool taken = avro_get_uuid(wire, wire + 1 + strlen(text), out) != NULL;
    free(wire);
    return taken;
}

static void uuids_of_36_characters(void **state) {
    (void)state;
    struct uuid id, other;
    assert_true(uuid_taken("0199a2c0-fedc-7abc-8def-0123456789ab", &id));
    assert_true(uuid_parse(STR("0199a2c0-fedc-7abc-8def-0123456789ab"), &other) && uuid_eq(&id, &other));
    assert_true(uuid_taken("0199A2C0-FEDC-7ABC-8DEF-0123456789AB", &id) && uuid_eq(&id, &other));
    assert_false(uuid_taken("", &id));
    assert_false(uuid_taken("0199a2c0fedc7abc8def0123456789ab", &id));
    assert_false(uuid_taken("0199a2c0-fedc-7abc-8def-0123456789a", &id));
    assert_false(uuid_taken("0199a2c0-fedc-7abc-8def-0123456789abc", &id));
}

/* Each character in each place, against the plain reading of uuid.h. */
static void uuids_agree_with_the_plain_reader(void **state) {
    (void)state;
    for (int place = 0; place < UUID_TEXT; place++) {
        for (int c = 0; c < 256; c++) {
            char wire[1 + UUID_TEXT + 1] = "H0199a2c0-fedc-7abc-8def-0123456789ab";
            wire[1 + place] = (char)c;
            struct uuid ours, plain;
            bool taken = avro_get_uuid((uint8_t *)wire, (uint8_t *)wire + 1 + UUID_TEXT, &ours) != NULL;
            assert_int_equal(taken, uuid_parse((struct str){wire + 1, UUID_TEXT}, &plain));
            if (!taken) continue;
            assert_true(uuid_eq(&ours, &plain));
            char text[UUID_TEXT];
            uint8_t again[AVRO_UUID_MAX];
            uuid_format(&plain, text);
            avro_put_uuid(again, &ours);
            assert_memory_equal(again + 1, text, UUID_TEXT);
        }
    }
}

static void indexes_and_booleans_in_range(void **state) {
    (void)state;
    int index;
    bool flag;
    const uint8_t bytes[] = {0, 1, 2, 4, 6};
    assert_non_null(avro_get_index(bytes, bytes + 1, 3, &index));
    assert_null(avro_get_index(bytes + 1, bytes + 2, 3, &index)); /* -1 */
    assert_non_null(avro_get_index(bytes + 3, bytes + 4, 3, &index));
    assert_int_equal(index, 2);
    assert_null(avro_get_index(bytes + 4, bytes + 5, 3, &index)); /* 3 of 3 */
    assert_non_null(avro_get_bool(bytes + 1, bytes + 2, &flag));
    assert_true(flag);
    assert_null(avro_get_bool(bytes + 2, bytes + 3, &flag));
    assert_null(avro_get_bool(bytes, bytes, &flag));
}

/* --- the tables --- */

static void topics_say_their_keys_and_types(void **state) {
    (void)state;
    assert_string_equal(topic_users.type->fields[topic_users.key_field].name, "id");
    assert_string_equal(topic_tickets.type->fields[topic_tickets.key_field].name, "id");
    assert_string_equal(topic_orders.type->fields[topic_orders.key_field].column, "ticket_id");
    assert_string_equal(topic_payments.type->fields[topic_payments.key_field].column, "ticket_id");
    assert_string_equal(topic_expirations.type->fields[topic_expirations.key_field].column, "ticket_id");
    for (int i = 0; event_topics[i] != NULL; i++)
        assert_string_equal(event_topics[i]->type->fields[event_topics[i]->type_field].name, "type");
    assert_int_equal(topic_orders.partitions, topic_tickets.partitions);
    assert_int_equal(topic_payments.partitions, topic_tickets.partitions);
    assert_int_equal(topic_expirations.partitions, topic_tickets.partitions);
    assert_string_equal(topic_tickets.type->fields[topic_tickets.type_field].symbols[TICKET_CANCELLED],
                        "TicketCancelled");
    assert_string_equal(topic_orders.type->fields[7].symbols[ORDER_STATUS_AWAITING_PAYMENT],
                        "awaiting_payment");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_events_come_back),
        cmocka_unit_test(encoding_needs_just_its_size),
        cmocka_unit_test(no_part_of_a_record_is_one_nor_more_than_it),
        cmocka_unit_test(changed_bytes_are_refused_or_another_record),
        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(numbers_at_their_limits),
        cmocka_unit_test(times_between_the_years_1_and_9999),
        cmocka_unit_test(strings_of_text_only),
        cmocka_unit_test(uuids_of_36_characters),
        cmocka_unit_test(uuids_agree_with_the_plain_reader),
        cmocka_unit_test(indexes_and_booleans_in_range),
        cmocka_unit_test(topics_say_their_keys_and_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
