/* Rows into structs: every kind of field, null, and all that does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "priv/row_map.h"

struct thing {
    int type;
    struct uuid id;
    int64_t wide;
    int32_t narrow;
    bool yes;
    double real;
    int64_t at;
    struct str note;
    bool has_note;
};

static const char *const symbols[] = {"Made", "Gone", NULL};

#define AT(member) offsetof(struct thing, member)
static const struct avro_field fields[] = {
    {"type", "type", AVRO_ENUM, false, AT(type), 0, symbols},
    {"id", "id", AVRO_UUID, false, AT(id), 0, NULL},
    {"wide", "wide", AVRO_LONG, false, AT(wide), 0, NULL},
    {"narrow", "narrow", AVRO_INT, false, AT(narrow), 0, NULL},
    {"yes", "yes", AVRO_BOOL, false, AT(yes), 0, NULL},
    {"real", "real", AVRO_DOUBLE, false, AT(real), 0, NULL},
    {"occurredAt", "occurred_at", AVRO_TIME, false, AT(at), 0, NULL},
    {"note", "note", AVRO_STRING, true, AT(note), AT(has_note), NULL},
};
enum { TYPE, ID, WIDE, NARROW, YES, REAL, OCCURRED_AT, NOTE, SEQ, TRACEPARENT, TOMBSTONE, COLUMNS };

static const struct avro_type type = {
    .name = "Thing", .fields = fields, .nfields = 8, .size = sizeof(struct thing)};
static const struct topic topic = {"things", &type, 1, 0, 3};

static struct pgoutput_column columns[COLUMNS];
static struct pgoutput_value row[COLUMNS];
static struct row_map map;
static struct thing thing;
static struct row_beside beside;

static void set_value(int column, const void *bytes, int n) {
    row[column] = (struct pgoutput_value){.bytes = bytes, .n = n};
}

/* A table and a row in which all is well. */
static int setup(void **state) {
    (void)state;
    static const struct pgoutput_column good[COLUMNS] = {
        {"type", 25}, {"id", 2950},        {"wide", 20},          {"narrow", 23},
        {"yes", 16},  {"real", 701},       {"occurred_at", 1184}, {"note", 25},
        {"seq", 20},  {"traceparent", 25}, {"tombstone", 16},
    };
    memcpy(columns, good, sizeof good);
    set_value(TYPE, "Gone", 4);
    set_value(ID, "0123456789abcdef", 16);
    set_value(WIDE, "\xff\xff\xff\xff\xff\xff\xff\xfe", 8);
    set_value(NARROW, "\x80\0\0\0", 4);
    set_value(YES, "\1", 1);
    set_value(REAL, "\x3f\xf8\0\0\0\0\0\0", 8);
    set_value(OCCURRED_AT, "\0\0\0\0\0\0\0\1", 8);
    set_value(NOTE, "é", 2);
    set_value(SEQ, "\0\0\0\0\0\0\0\1", 8);
    set_value(TRACEPARENT, "00-1-2-01", 9);
    set_value(TOMBSTONE, "\0", 1);
    return 0;
}

static enum status set_map(struct why *w) {
    return row_map_set(&map, &topic, columns, COLUMNS, w);
}

static enum status fill(struct why *w) {
    assert_int_equal(set_map(w), ST_OK);
    memset(&thing, 0xaa, sizeof thing); /* what the row before left */
    return row_map_fill(&map, row, COLUMNS, &thing, &beside, w);
}

static void assert_refused(const char *reason) {
    struct why w = {0};
    assert_int_equal(fill(&w), ST_INVALID);
    if (strstr(w.text, reason) == NULL) fail_msg("%s", w.text);
}

static void assert_no_map(const char *reason) {
    struct why w = {0};
    assert_int_equal(set_map(&w), ST_INVALID);
    if (strstr(w.text, reason) == NULL) fail_msg("%s", w.text);
}

static void every_kind(void **state) {
    (void)state;
    struct why w;
    assert_int_equal(fill(&w), ST_OK);
    assert_int_equal(thing.type, 1);
    assert_memory_equal(thing.id.b, "0123456789abcdef", 16);
    assert_int_equal(thing.wide, -2);
    assert_int_equal(thing.narrow, INT32_MIN);
    assert_true(thing.yes);
    assert_true(thing.real == 1.5);
    assert_int_equal(thing.at, 946684800000001);
    assert_true(thing.has_note && str_eq(thing.note, STR("é")));
    assert_true(str_eq(beside.traceparent, STR("00-1-2-01")));
    assert_false(beside.tombstone);
}

static void a_tombstone(void **state) {
    (void)state;
    struct why w;
    set_value(TOMBSTONE, "\1", 1);
    assert_int_equal(fill(&w), ST_OK);
    assert_true(beside.tombstone);
    set_value(TOMBSTONE, NULL, -1);
    assert_int_equal(fill(&w), ST_OK);
    assert_false(beside.tombstone);
    columns[TOMBSTONE].type = 25; /* of another meaning, then */
    set_value(TOMBSTONE, "\1", 1);
    assert_int_equal(fill(&w), ST_OK);
    assert_false(beside.tombstone);
}

static void integers_of_other_widths(void **state) {
    (void)state;
    struct why w;
    columns[WIDE].type = 21;
    set_value(WIDE, "\xff\xfe", 2);
    columns[NARROW].type = 20;
    set_value(NARROW, "\0\0\0\0\0\0\0\7", 8);
    assert_int_equal(fill(&w), ST_OK);
    assert_int_equal(thing.wide, -2);
    assert_int_equal(thing.narrow, 7);
    set_value(NARROW, "\0\0\0\1\0\0\0\7", 8);
    assert_refused("narrow");
}

static void times_beyond_the_wire(void **state) {
    (void)state;
    set_value(OCCURRED_AT, "\x7f\xff\xff\xff\xff\xff\xff\xff", 8); /* infinity */
    assert_refused("occurred_at");
    set_value(OCCURRED_AT, "\x80\0\0\0\0\0\0\0", 8);
    assert_refused("occurred_at");
}

static void nulls(void **state) {
    (void)state;
    struct why w;
    set_value(NOTE, NULL, -1);
    set_value(TRACEPARENT, NULL, -1);
    set_value(SEQ, NULL, -1);
    assert_int_equal(fill(&w), ST_OK);
    assert_false(thing.has_note);
    assert_int_equal(beside.traceparent.n, 0);
    set_value(ID, NULL, -1);
    assert_refused("column id is null");
}

static void columns_that_are_not_there(void **state) {
    (void)state;
    struct why w;
    columns[NOTE].name = "remark"; /* the schema allows null: it is null */
    columns[TRACEPARENT].name = "other";
    assert_int_equal(fill(&w), ST_OK);
    assert_false(thing.has_note);
    assert_int_equal(beside.traceparent.n, 0);
    columns[WIDE].name = "broad";
    assert_no_map("there is no column wide");
}

static void types_that_do_not_fit(void **state) {
    static const uint32_t wrong[] = {[TYPE] = 23, [ID] = 25,     [WIDE] = 701,         [NARROW] = 25,
                                     [YES] = 23,  [REAL] = 1700, [OCCURRED_AT] = 1114, [NOTE] = 17};
    for (int i = TYPE; i <= NOTE; i++) {
        setup(state);
        columns[i].type = wrong[i];
        assert_no_map(columns[i].name);
    }
}

static void values_that_do_not_fit(void **state) {
    for (int i = TYPE; i < NOTE; i++) {
        setup(state);
        set_value(i, "Nothing such", 3);
        assert_refused(columns[i].name);
    }
}

static void types_of_ones_own_are_labels(void **state) {
    (void)state;
    struct why w;
    columns[TYPE].type = 16400; /* create type … as enum */
    assert_int_equal(fill(&w), ST_OK);
    assert_int_equal(thing.type, 1);
}

static void texts_where_binary_is_expected(void **state) {
    (void)state;
    row[YES].text = true;
    assert_refused("yes");
}

static void rows_of_another_width(void **state) {
    (void)state;
    struct why w;
    assert_int_equal(set_map(&w), ST_OK);
    assert_int_equal(row_map_fill(&map, row, COLUMNS - 1, &thing, &beside, &w), ST_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_kind, setup),
        cmocka_unit_test_setup(a_tombstone, setup),
        cmocka_unit_test_setup(integers_of_other_widths, setup),
        cmocka_unit_test_setup(times_beyond_the_wire, setup),
        cmocka_unit_test_setup(nulls, setup),
        cmocka_unit_test_setup(columns_that_are_not_there, setup),
        cmocka_unit_test_setup(types_that_do_not_fit, setup),
        cmocka_unit_test_setup(values_that_do_not_fit, setup),
        cmocka_unit_test_setup(types_of_ones_own_are_labels, setup),
        cmocka_unit_test_setup(texts_where_binary_is_expected, setup),
        cmocka_unit_test_setup(rows_of_another_width, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
