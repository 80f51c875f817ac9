/* The events as they are, read from writers of their next version, of their last one, and of nearly the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "arena.h"
#include "avro_random.h"
#include "events.h"

static json_t *schema_of(const struct avro_type *type) {
    json_t *schema = json_loads(type->schema, 0, NULL);
    assert_non_null(schema);
    return schema;
}

static struct avro_plan *plan_of(const struct avro_type *reader, json_t *schema) {
    char *text = json_dumps(schema, JSON_INDENT(2));
    struct why w = {.text = ""};
    struct avro_plan *plan = avro_plan_new(reader, text, &w);
    if (plan == NULL) fail_msg("%s", w.text);
    free(text);
    return plan;
}

static void own_schema_reads_as_by_the_decoder(void **state) {
    (void)state;
    struct dice d = {.state = 5};
    uint8_t bytes[8192];
    for (int t = 0; event_topics[t] != NULL; t++) {
        const struct avro_type *type = event_topics[t]->type;
        json_t *schema = schema_of(type);
        struct avro_plan *plan = plan_of(type, schema);
        void *in = calloc(1, type->size), *out = calloc(1, type->size);
        roll_event(&d, type, in);
        size_t n = type->encode(in, bytes, sizeof bytes);
        assert_int_equal(avro_plan_decode(plan, bytes, n, out), ST_OK);
        assert_null(differing_field(type, in, out));
        assert_int_equal(avro_plan_decode(plan, bytes, n - 1, out), ST_INVALID);
        free(in);
        free(out);
        avro_plan_free(plan);
        json_decref(schema);
    }
    arena_free(&d.arena);
}

/* Where the orderId begins (1 + 37 bytes: the branch, the length, the text): the text is what differs. */
static size_t order_id_at(const struct ticket_event *in) {
    struct ticket_event other = *in;
    other.order_id.b[0] ^= 0xff;
    uint8_t bytes[8192], others[8192];
    size_t i = 0;
    assert_int_equal(ticket_event_avro.encode(in, bytes, sizeof bytes),
                     ticket_event_avro.encode(&other, others, sizeof others));
    while (bytes[i] == others[i])
        i++;
    return i - 2;
}

/* A ticket as bytes, its orderId changed as a writer of that type would write it. */
static void expect_order_id(const char *type, size_t cut, int branch, enum status expected) {
    struct dice d = {.state = 8};
    struct ticket_event in = {0}, out;
    uint8_t bytes[8192];
    roll_event(&d, &ticket_event_avro, &in);
    in.has_order_id = true;
    size_t n = ticket_event_avro.encode(&in, bytes, sizeof bytes), at = order_id_at(&in);
    memmove(bytes + at, bytes + at + cut, n - at - cut);
    if (branch >= 0) bytes[at] = (uint8_t)(2 * branch);

    json_t *schema = schema_of(&ticket_event_avro), *field;
    size_t i;
    json_array_foreach(json_object_get(schema, "fields"), i, field) {
        if (strcmp(json_string_value(json_object_get(field, "name")), "orderId") == 0)
            json_object_set_new(field, "type", json_loads(type, JSON_DECODE_ANY, NULL));
    }
    struct avro_plan *plan = plan_of(&ticket_event_avro, schema);
    assert_int_equal(avro_plan_decode(plan, bytes, n - cut, &out), expected);
    if (expected == ST_OK) assert_null(differing_field(&ticket_event_avro, &in, &out));
    avro_plan_free(plan);
    json_decref(schema);
    arena_free(&d.arena);
}

/* Nearly our own schema, but not to be read by our own decoder. */
static void a_writer_that_differs_in_a_union(void **state) {
    (void)state;
    expect_order_id("[\"null\",\"string\"]", 0, 1, ST_OK);
    expect_order_id("\"string\"", 1, -1, ST_OK);
    expect_order_id("[\"string\",\"null\"]", 0, 0, ST_OK);
    expect_order_id("[\"int\",\"string\"]", 0, 1, ST_OK);
    expect_order_id("[\"bytes\",\"string\"]", 0, 0, ST_OK);
    expect_order_id("[\"null\",\"int\",\"string\"]", 0, 2, ST_OK);
    expect_order_id("[\"null\",\"int\",\"string\"]", 0, 1, ST_INVALID);
}

static void a_writer_with_other_symbols(void **state) {
    (void)state;
    struct expiration_event in = {.attempt = 1}, out;
    uint8_t bytes[256];
    size_t n = expiration_event_avro.encode(&in, bytes, sizeof bytes);
    json_t *schema = schema_of(&expiration_event_avro);
    json_t *type = json_object_get(json_array_get(json_object_get(schema, "fields"), 0), "type");
    json_array_insert_new(json_object_get(type, "symbols"), 0, json_string("OrderRenewed"));
    struct avro_plan *plan = plan_of(&expiration_event_avro, schema);
    assert_int_equal(avro_plan_decode(plan, bytes, n, &out), ST_AGAIN); /* OrderRenewed: of a newer version */
    bytes[0] = 2;
    assert_int_equal(avro_plan_decode(plan, bytes, n, &out), ST_OK);
    assert_int_equal(out.type, ORDER_EXPIRED);
    avro_plan_free(plan);
    json_decref(schema);
}

/* A writer of the next version: it has one field more, before all others. */
static void a_newer_writer_is_read(void **state) {
    (void)state;
    struct dice d = {.state = 6};
    uint8_t bytes[8192];
    for (int t = 0; event_topics[t] != NULL; t++) {
        const struct avro_type *type = event_topics[t]->type;
        json_t *schema = schema_of(type);
        json_t *added = json_pack("{s:s, s:{s:s, s:s}, s:[]}", "name", "labels", "type", "type", "array",
                                  "items", "string", "default");
        json_array_insert_new(json_object_get(schema, "fields"), 0, added);
        struct avro_plan *plan = plan_of(type, schema);
        void *in = calloc(1, type->size), *out = calloc(1, type->size);
        for (int i = 0; i < 100; i++) {
            memset(in, 0, type->size);
            roll_event(&d, type, in);
            memcpy(bytes,
                   "\x04\x02"
                   "a"
                   "\x02"
                   "b"
                   "\x00",
                   6);
            size_t n = 6 + type->encode(in, bytes + 6, sizeof bytes - 6);
            assert_int_equal(avro_plan_decode(plan, bytes, n, out), ST_OK);
            assert_null(differing_field(type, in, out));
        }
        free(in);
        free(out);
        avro_plan_free(plan);
        json_decref(schema);
    }
    arena_free(&d.arena);
}

/* A ticket as its next version could have it: with a seat, and a count of views. The reader is newer than the
 * writer. */
struct next_ticket {
    struct ticket_event now;
    struct str seat;
    bool has_views;
    int64_t views;
};

static void an_older_writer_is_read(void **state) {
    (void)state;
    const struct avro_type *now = topic_tickets.type;
    struct avro_field fields[32];
    memcpy(fields, now->fields, (size_t)now->nfields * sizeof *fields);
    fields[now->nfields] =
        (struct avro_field){"seat", "seat", AVRO_STRING, false, offsetof(struct next_ticket, seat), 0, NULL};
    fields[now->nfields + 1] = (struct avro_field){"views",
                                                   "views",
                                                   AVRO_LONG,
                                                   true,
                                                   offsetof(struct next_ticket, views),
                                                   offsetof(struct next_ticket, has_views),
                                                   NULL};
    json_t *schema = schema_of(now), *members = json_object_get(schema, "fields");
    json_array_append_new(members,
                          json_pack("{s:s, s:s, s:s}", "name", "seat", "type", "string", "default", "any"));
    json_array_append_new(
        members, json_pack("{s:s, s:[s,s], s:n}", "name", "views", "type", "null", "long", "default"));
    char *text = json_dumps(schema, 0);
    const struct avro_type next = {.name = now->name,
                                   .schema = text,
                                   .fields = fields,
                                   .nfields = now->nfields + 2,
                                   .size = sizeof(struct next_ticket)};
    struct why w = {.text = ""};
    struct avro_plan *plan = avro_plan_new(&next, now->schema, &w);
    assert_non_null(plan);

    struct dice d = {.state = 7};
    uint8_t bytes[8192];
    for (int i = 0; i < 100; i++) {
        struct ticket_event in = {0};
        struct next_ticket out;
        memset(&out, 0xa5, sizeof out);
        roll_event(&d, now, &in);
        size_t n = now->encode(&in, bytes, sizeof bytes);
        assert_int_equal(avro_plan_decode(plan, bytes, n, &out), ST_OK);
        assert_null(differing_field(now, &in, &out.now));
        assert_true(str_eq(out.seat, STR("any")));
        assert_false(out.has_views);
        assert_int_equal(avro_plan_decode(plan, bytes, n - 1, &out), ST_INVALID);
        bytes[n] = 0;
        assert_int_equal(avro_plan_decode(plan, bytes, n + 1, &out), ST_INVALID);
    }
    arena_free(&d.arena);
    avro_plan_free(plan);
    free(text);
    json_decref(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_schema_reads_as_by_the_decoder),
        cmocka_unit_test(a_writer_that_differs_in_a_union),
        cmocka_unit_test(a_writer_with_other_symbols),
        cmocka_unit_test(a_newer_writer_is_read),
        cmocka_unit_test(an_older_writer_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
