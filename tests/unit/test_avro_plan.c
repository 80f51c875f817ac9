/* How each kind of field is read from another schema's, what is passed over, and schemas that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "buf.h"

#include "avro_random.h"

#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define RECORD(fields)                                                                                       \
    "{\"type\":\"record\",\"name\":\"Sample\",\"namespace\":\"test\",\"fields\":[" fields "]}"
#define NAMED(kind, rest) "{\"type\":\"" kind "\",\"name\":\"N\"," rest "}"
#define LOGICAL(type, as) "{\"type\":\"" type "\",\"logicalType\":\"" as "\"}"
#define ENUM(name, rest)  "{\"type\":\"enum\",\"name\":\"" name "\",\"symbols\":" rest "}"
#define ID                "0199a2c0-fedc-7abc-8def-0123456789ab"

/* --- a reader of a single field, and what is left of it as text --- */

struct sample {
    bool has;
    union {
        struct str text;
        struct uuid id;
        int64_t number;
        int32_t narrow;
        bool flag;
        double ratio;
        int symbol;
    } v;
};

static const char *const letters[] = {"a", "b", "c", NULL};

static const char *shown(const struct avro_field *field, const struct sample *s) {
    static char out[64];
    if (field->nullable && !s->has) return "null";
    switch (field->kind) {
    case AVRO_STRING:
        sprintf(out, "%.*s", (int)s->v.text.n, s->v.text.p);
        break;
    case AVRO_UUID:
        uuid_format(&s->v.id, out), out[UUID_TEXT] = '\0';
        break;
    case AVRO_LONG:
    case AVRO_TIME:
        sprintf(out, "%lld", (long long)s->v.number);
        break;
    case AVRO_INT:
        sprintf(out, "%d", s->v.narrow);
        break;
    case AVRO_BOOL:
        sprintf(out, "%s", s->v.flag ? "true" : "false");
        break;
    case AVRO_DOUBLE:
        sprintf(out, "%g", s->v.ratio);
        break;
    case AVRO_ENUM:
        sprintf(out, "%s", letters[s->v.symbol]);
        break;
    }
    return out;
}

/* Reads wire, written under the schema `written`, as one field of the given kind whose JSON is `own`. What
 * came of it, "malformed", or "refused" when there can be no plan. */
static const char *read_as(enum avro_kind kind, bool nullable, const char *own, const char *written,
                           const char *wire, size_t n) {
    char schema[1024];
    snprintf(schema, sizeof schema, RECORD("%s"), own);
    const struct avro_field field = {
        "v", "v", kind, nullable, offsetof(struct sample, v), offsetof(struct sample, has), letters};
    const struct avro_type reader = {
        .name = "Sample", .schema = schema, .fields = &field, .nfields = 1, .size = sizeof(struct sample)};
    struct why w = {.text = ""};
    struct avro_plan *plan = avro_plan_new(&reader, written, &w);
    if (plan == NULL) {
        assert_string_not_equal(w.text, "");
        return "refused";
    }
    struct sample s;
    memset(&s, 0xa5, sizeof s);
    uint8_t *bytes = exact_copy((const uint8_t *)wire, n);
    const char *result = avro_plan_decode(plan, bytes, n, &s) == ST_OK ? shown(&field, &s) : "malformed";
    free(bytes);
    avro_plan_free(plan);
    return result;
}

struct conversion {
    enum avro_kind kind;
    bool nullable;
    const char *own, *written;
    const char *wire;
    size_t n;
    const char *expected;
};

/* The boolean at the end of each writer's record keeps its plan from being the reader's own decoder, of which
 * this has none. */
#define CASE(kind, own, written, wire, expected)                                                             \
    {                                                                                                        \
        kind, false, FIELD("v", own), RECORD(FIELD("v", written) "," FIELD("end", "\"boolean\"")),           \
            wire "\x01", sizeof(wire "\x01") - 1, expected                                                   \
    }
#define NULLABLE(kind, own, written, wire, expected)                                                         \
    {                                                                                                        \
        kind, true, FIELD("v", "[\"null\"," own "]"),                                                        \
            RECORD(FIELD("v", written) "," FIELD("end", "\"boolean\"")), wire "\x01",                        \
            sizeof(wire "\x01") - 1, expected                                                                \
    }
#define MISSING(kind, own, expected)                                                                         \
    {                                                                                                        \
        kind, false, "{\"name\":\"v\",\"type\":" own "}", RECORD(FIELD("end", "\"boolean\"")), "\x01", 1,    \
            expected                                                                                         \
    }

static const struct conversion conversions[] = {
    /* promotions, and what is none */
    CASE(AVRO_LONG, "\"long\"", "\"int\"", "\x06", "3"),
    CASE(AVRO_LONG, "\"long\"", "\"long\"", "\x05", "-3"),
    CASE(AVRO_LONG, "\"long\"", "\"double\"", "\0\0\0\0\0\0\xf8\x3f", "refused"),
    CASE(AVRO_LONG, "\"long\"", "\"string\"",
         "\x02"
         "1",
         "refused"),
    CASE(AVRO_LONG, "\"long\"", "\"int\"", "\x80\x80\x80\x80\x20", "malformed"), /* more than an int holds */
    CASE(AVRO_INT, "\"int\"", "\"int\"", "\x06", "3"),
    CASE(AVRO_INT, "\"int\"", "\"long\"", "\x06", "refused"),
    CASE(AVRO_DOUBLE, "\"double\"", "\"int\"", "\x06", "3"),
    CASE(AVRO_DOUBLE, "\"double\"", "\"long\"", "\x05", "-3"),
    CASE(AVRO_DOUBLE, "\"double\"", "\"float\"", "\0\0\xc0\x3f", "1.5"),
    CASE(AVRO_DOUBLE, "\"double\"", "\"double\"", "\0\0\0\0\0\0\xf8\x3f", "1.5"),
    CASE(AVRO_BOOL, "\"boolean\"", "\"boolean\"", "\x01", "true"),
    CASE(AVRO_BOOL, "\"boolean\"", "\"boolean\"", "\x02", "malformed"),
    CASE(AVRO_BOOL, "\"boolean\"", "\"int\"", "\x02", "refused"),
    CASE(AVRO_STRING, "\"string\"", "\"string\"",
         "\x04"
         "hi",
         "hi"),
    CASE(AVRO_STRING, "\"string\"", "\"bytes\"",
         "\x04"
         "hi",
         "hi"),
    CASE(AVRO_STRING, "\"string\"", "\"bytes\"", "\x02\xff", "malformed"),
    CASE(AVRO_STRING, "\"string\"", LOGICAL("string", "uuid"), "H" ID, ID),
    CASE(AVRO_STRING, "\"string\"", "\"int\"", "\x02", "refused"),
    CASE(AVRO_UUID, LOGICAL("string", "uuid"), "\"string\"", "H" ID, ID),
    CASE(AVRO_UUID, LOGICAL("string", "uuid"), "\"string\"",
         "\x04"
         "hi",
         "malformed"),
    CASE(AVRO_TIME, LOGICAL("long", "timestamp-millis"), "\"long\"", "\x06", "3000"),
    CASE(AVRO_TIME, LOGICAL("long", "timestamp-millis"), "\"int\"", "\x06", "3000"),
    CASE(AVRO_TIME, LOGICAL("long", "timestamp-millis"), LOGICAL("long", "timestamp-micros"), "\x06", "3"),
    CASE(AVRO_TIME, LOGICAL("long", "timestamp-millis"), LOGICAL("long", "timestamp-nanos"), "\x06",
         "refused"),
    CASE(AVRO_TIME, LOGICAL("long", "timestamp-millis"), LOGICAL("int", "date"), "\x06", "refused"),
    CASE(AVRO_TIME, LOGICAL("long", "timestamp-millis"), LOGICAL("long", "timestamp-micros"),
         "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "malformed"),
    /* null on either side */
    NULLABLE(AVRO_LONG, "\"long\"", "\"long\"", "\x06", "3"),
    NULLABLE(AVRO_LONG, "\"long\"", "[\"null\",\"int\"]", "\x02\x06", "3"),
    NULLABLE(AVRO_LONG, "\"long\"", "[\"null\",\"int\"]", "\x00", "null"),
    NULLABLE(AVRO_LONG, "\"long\"", "[\"int\",\"null\"]", "\x00\x06", "3"),
    NULLABLE(AVRO_LONG, "\"long\"", "[\"int\",\"null\"]", "\x02", "null"),
    NULLABLE(AVRO_LONG, "\"long\"", "\"null\"", "", "null"),
    NULLABLE(AVRO_LONG, "\"long\"", "[\"null\",\"int\"]", "\x04\x06",
             "malformed"), /* the third branch of two */
    NULLABLE(AVRO_LONG, "\"long\"", "[\"null\",\"int\"]", "\x01\x06", "malformed"), /* branch -1 */
    CASE(AVRO_LONG, "\"long\"", "[\"null\",\"long\"]", "\x02\x06", "3"),
    CASE(AVRO_LONG, "\"long\"", "[\"null\",\"long\"]", "\x00", "malformed"),
    CASE(AVRO_LONG, "\"long\"", "[\"string\",\"int\",\"long\"]", "\x04\x06", "3"),
    CASE(AVRO_LONG, "\"long\"", "[\"string\",\"int\",\"long\"]", "\x00\x00", "malformed"),
    CASE(AVRO_LONG, "\"long\"", "[\"null\",\"string\"]", "\x00", "refused"),
    CASE(AVRO_LONG, "\"long\"", "\"null\"", "", "refused"),
    /* enums, by symbol */
    CASE(AVRO_ENUM, ENUM("E", "[\"a\",\"b\",\"c\"]"), ENUM("E", "[\"c\",\"b\"]"), "\x00", "c"),
    CASE(AVRO_ENUM, ENUM("E", "[\"a\",\"b\",\"c\"]"), ENUM("other.E", "[\"x\",\"a\"]"), "\x02", "a"),
    CASE(AVRO_ENUM, ENUM("E", "[\"a\",\"b\",\"c\"]"), ENUM("E", "[\"x\",\"a\"]"), "\x00", "malformed"),
    CASE(AVRO_ENUM, ENUM("E", "[\"a\",\"b\",\"c\"],\"default\":\"b\""), ENUM("E", "[\"x\",\"a\"]"), "\x00",
         "b"),
    CASE(AVRO_ENUM, ENUM("E", "[\"a\",\"b\",\"c\"],\"default\":\"b\""), ENUM("E", "[\"x\",\"a\"]"), "\x04",
         "malformed"),
    CASE(AVRO_ENUM, ENUM("E", "[\"a\",\"b\",\"c\"],\"aliases\":[\"Old\"]"), ENUM("Old", "[\"b\"]"), "\x00",
         "b"),
    CASE(AVRO_ENUM, ENUM("E", "[\"a\",\"b\",\"c\"]"), ENUM("F", "[\"a\"]"), "\x00", "refused"),
    CASE(AVRO_ENUM, ENUM("E", "[\"a\",\"b\",\"c\"]"), "\"string\"",
         "\x02"
         "a",
         "refused"),
    CASE(AVRO_STRING, "\"string\"", ENUM("E", "[\"a\"]"), "\x00", "refused"),
    /* not there at all */
    MISSING(AVRO_LONG, "\"long\"", "refused"),
    MISSING(AVRO_LONG, "\"long\",\"default\":-7", "-7"),
    MISSING(AVRO_INT, "\"int\",\"default\":7", "7"),
    MISSING(AVRO_STRING, "\"string\",\"default\":\"none\"", "none"),
    MISSING(AVRO_UUID, LOGICAL("string", "uuid") ",\"default\":\"" ID "\"", ID),
    MISSING(AVRO_BOOL, "\"boolean\",\"default\":true", "true"),
    MISSING(AVRO_DOUBLE, "\"double\",\"default\":2", "2"),
    MISSING(AVRO_TIME, LOGICAL("long", "timestamp-millis") ",\"default\":5", "5000"),
    MISSING(AVRO_ENUM, ENUM("E", "[\"a\",\"b\",\"c\"]") ",\"default\":\"b\"", "b"),
    {AVRO_LONG, true, "{\"name\":\"v\",\"type\":[\"null\",\"long\"],\"default\":null}",
     RECORD(FIELD("end", "\"boolean\"")), "\x01", 1, "null"},
    /* under another name */
    {AVRO_LONG, false, "{\"name\":\"v\",\"type\":\"long\",\"aliases\":[\"old\"]}",
     RECORD(FIELD("end", "\"boolean\"") "," FIELD("old", "\"long\"")), "\x01\x06", 2, "3"},
    {AVRO_LONG, false, "{\"name\":\"v\",\"type\":\"long\",\"aliases\":[\"old\"]}",
     RECORD(FIELD("old", "\"long\"") "," FIELD("v", "\"long\"")), "\x06\x08", 2, "4"},
    {AVRO_LONG, false, FIELD("v", "\"long\""), RECORD(FIELD("v", "\"long\"") "," FIELD("v", "\"long\"")),
     "\x06\x08", 2, "refused"},
};

static void conversions_as_avro_has_them(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof conversions / sizeof *conversions; i++) {
        const struct conversion *c = &conversions[i];
        const char *got = read_as(c->kind, c->nullable, c->own, c->written, c->wire, c->n);
        if (strcmp(got, c->expected) != 0)
            fail_msg("%s from %s: %s, not %s", c->own, c->written, got, c->expected);
        if (strcmp(got, "refused") == 0) continue;
        if (strcmp(got, "malformed") == 0) continue;
        for (size_t part = 0; part < c->n; part++) /* and no part of it is read */
            assert_string_equal(read_as(c->kind, c->nullable, c->own, c->written, c->wire, part),
                                "malformed");
    }
}

/* --- passing over what the reader does not know --- */

#define LIST "{\"type\":\"record\",\"name\":\"List\",\"fields\":[" FIELD("next", "[\"null\",\"List\"]") "]}"

static const struct {
    const char *type;
    const char *wire;
    size_t n;
    bool taken;
} passed[] = {
#define PASS(type, wire)                                                                                     \
    { type, wire, sizeof(wire) - 1, true }
#define STOP(type, wire)                                                                                     \
    { type, wire, sizeof(wire) - 1, false }
    PASS("\"null\"", ""),
    PASS("\"boolean\"", "\x01"),
    PASS("\"int\"", "\x80\x80\x01"),
    PASS("\"long\"", "\x80\x00"), /* longer than needed, but nobody looks at it */
    PASS("\"float\"", "1234"),
    PASS("\"double\"", "12345678"),
    PASS("\"bytes\"", "\x04\xff\xff"),
    PASS("\"string\"", "\x04\xff\xff"),
    PASS(NAMED("fixed", "\"size\":3"), "123"),
    PASS(NAMED("fixed", "\"size\":0"), ""),
    PASS(ENUM("E", "[\"x\"]"), "\x00"),
    PASS("[\"null\",\"string\"]", "\x02\x02"
                                  "a"),
    PASS("[\"null\",\"string\"]", "\x00"),
    PASS("{\"type\":\"array\",\"items\":\"long\"}", "\x00"),
    PASS("{\"type\":\"array\",\"items\":\"long\"}", "\x04\x02\x02\x02\x02\x00"),
    PASS("{\"type\":\"array\",\"items\":\"long\"}", "\x03\x04\x02\x02\x00"), /* a block with its size */
    PASS("{\"type\":\"array\",\"items\":\"null\"}",
         "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"), /* 2^63-1 nothings */
    PASS("{\"type\":\"map\",\"values\":\"int\"}", "\x02\x02"
                                                  "k"
                                                  "\x06\x00"),
    PASS("{\"type\":\"map\",\"values\":\"null\"}", "\x02\x02"
                                                   "k"
                                                   "\x00"),
    PASS(NAMED("record", "\"fields\":[" FIELD("a", "\"int\"") "," FIELD("b", "\"null\"") "]"), "\x02"),
    PASS(NAMED("record", "\"fields\":[]"), ""),
    PASS(LIST, "\x02\x02\x02\x00"),
    PASS(LOGICAL("bytes", "decimal"), "\x02\x01"),
    STOP("\"boolean\"", ""),
    STOP("\"double\"", "1234567"),
    STOP("\"string\"", "\x06"
                       "ab"),
    STOP("\"string\"", "\x01"),
    STOP("\"string\"", "\x03"), /* back to before the record */
    STOP("\"string\"", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    STOP("\"long\"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    STOP(NAMED("fixed", "\"size\":2147483647"), "123"),
    STOP("[\"null\",\"string\"]", "\x04"),
    STOP("[\"null\",\"string\"]", "\x01"),
    STOP("{\"type\":\"array\",\"items\":\"long\"}",
         "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"), /* far more than there are */
    STOP("{\"type\":\"array\",\"items\":\"long\"}", "\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"),
    STOP("{\"type\":\"array\",\"items\":\"long\"}", "\x01\x01\x00"), /* a block of size -1 */
    STOP("{\"type\":\"map\",\"values\":\"null\"}", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"),
    STOP(LIST,
         "\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2\0"), /* deeper
                                                                                                     than is
                                                                                                     gone */
    STOP(NAMED("record", "\"fields\":[" FIELD("self", "\"N\"") "]"), ""), /* without an end */
};

static void any_type_is_passed_over(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
        char schema[2048], wire[64];
        snprintf(schema, sizeof schema, RECORD(FIELD("x", "%s") "," FIELD("v", "\"long\"")), passed[i].type);
        memcpy(wire, passed[i].wire, passed[i].n);
        wire[passed[i].n] = 6;
        const char *got = read_as(AVRO_LONG, false, FIELD("v", "\"long\""), schema, wire, passed[i].n + 1);
        if (strcmp(got, passed[i].taken ? "3" : "malformed") != 0)
            fail_msg("over %s: %s", passed[i].type, got);
    }
}

/* --- schemas that are none, or meant to hurt --- */

static const char *plan_for(const char *written) {
    return read_as(AVRO_LONG, false, FIELD("v", "\"long\""), written, "\x06", 1);
}

static void schemas_that_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "null",
        "7",
        "[]",
        "{}",
        "\"long\"",
        "\"record\"",
        "{\"type\":\"record\"}",
        "{\"type\":7}",
        "{\"type\":\"record\",\"name\":\"Sample\"}",
        "{\"type\":\"record\",\"name\":\"\",\"fields\":[]}",
        "{\"type\":\"record\",\"name\":\"Sample\",\"fields\":{}}",
        "{\"type\":\"record\",\"name\":\"Sample\",\"fields\":[7]}",
        "{\"type\":\"record\",\"name\":\"Other\",\"fields\":[{\"name\":\"v\",\"type\":\"long\"}]}",
        RECORD(FIELD("v", "\"long\"")) "x",
        "{\"type\":\"enum\",\"name\":\"Sample\",\"symbols\":[\"v\"]}",
        "{\"type\":\"record\",\"name\":\"Sample\",\"name\":\"Sample\",\"fields\":[" FIELD("v",
                                                                                          "\"long\"") "]}",
        RECORD(FIELD("v", "\"lang\"")),
        RECORD(FIELD("v", "\"long\"") ",{\"name\":\"x\"}"),
        RECORD(FIELD("v", "\"long\"") ",{\"type\":\"long\"}"),
        RECORD(FIELD("v", "\"long\"") "," FIELD("x", "[]")),
        RECORD(FIELD("v", "\"long\"") "," FIELD("x", "[[\"null\"]]")),
        RECORD(FIELD("v", "\"long\"") "," FIELD("x", NAMED("fixed", "\"size\":-1"))),
        RECORD(FIELD("v", "\"long\"") "," FIELD("x", NAMED("fixed", "\"size\":4294967296"))),
        RECORD(FIELD("v", "\"long\"") "," FIELD("x", NAMED("fixed", "\"size\":\"1\""))),
        RECORD(FIELD("v", "\"long\"") "," FIELD("x", NAMED("enum", "\"symbols\":[]"))),
        RECORD(FIELD("v", "\"long\"") "," FIELD("x", NAMED("enum", "\"symbols\":[1]"))),
        RECORD(FIELD("v", "\"long\"") "," FIELD("x", "{\"type\":\"array\"}")),
        RECORD(FIELD("v", "\"long\"") "," FIELD("x", "{\"type\":\"map\",\"values\":\"Nobody\"}")),
        RECORD(FIELD("v", "\"long\"") "," FIELD("x", NAMED("fixed", "\"size\":1")) "," FIELD(
            "y", NAMED("fixed", "\"size\":1"))),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (strcmp(plan_for(bad[i]), "refused") != 0) fail_msg("taken: %s", bad[i]);
}

/* before, then count times middle (with a number for each %d), then after. */
static char *repeated(const char *before, const char *middle, int count, const char *after) {
    struct buf text = {0};
    buf_add(&text, before, strlen(before));
    for (int i = 0; i < count; i++) {
        char piece[256];
        int n = snprintf(piece, sizeof piece, middle, i, i);
        buf_add(&text, piece, (size_t)n);
    }
    buf_add(&text, after, strlen(after) + 1);
    return (char *)text.data;
}

static void expect_plan(char *schema, const char *expected) {
    assert_string_equal(plan_for(schema), expected);
    free(schema);
}

/* A field of arrays within arrays. */
static char *nested_arrays(int depth) {
    char *open = repeated("{\"type\":\"record\",\"name\":\"Sample\",\"fields\":[" FIELD(
                              "v", "\"long\"") ",{\"name\":\"x\",\"type\":",
                          "{\"type\":\"array\",\"items\":", depth, "\"int\"");
    char *whole = repeated(open, "}", depth, "}]}");
    free(open);
    return whole;
}

static void schemas_too_large_to_serve(void **state) {
    (void)state;
    expect_plan(repeated(RECORD(FIELD("v", "\"long\"")), " ", 200000, ""), "refused");
    expect_plan(repeated("", "[", 100000, ""), "refused");
    expect_plan(repeated("", "{\"type\":", 1000, ""), "refused");
    expect_plan(nested_arrays(25), "malformed"); /* a plan, if not for that record */
    expect_plan(nested_arrays(40), "refused");
    const char *start = "{\"type\":\"record\",\"name\":\"Sample\",\"fields\":[" FIELD("v", "\"long\"");
    const char *fixed = ",{\"name\":\"f%d\",\"type\":{\"type\":\"fixed\",\"name\":\"F%d\",\"size\":0}}";
    expect_plan(repeated(start, fixed, 900, "]}"), "3");
    expect_plan(repeated(start, fixed, 1100, "]}"), "refused");
}

/* Each type holds the next twice: 2^28 nothings if they were gone through one by one, and that 100 times. */
static void empty_types_cost_nothing(void **state) {
    (void)state;
    enum { NESTED = 28 };
    struct buf text = {0};
    char *open = repeated(
        "{\"type\":\"record\",\"name\":\"Sample\",\"fields\":[" FIELD(
            "v", "\"long\"") ",{\"name\":\"x\",\"type\":",
        "{\"type\":\"record\",\"name\":\"T%d\",\"fields\":[{\"name\":\"a\",\"type\":", NESTED, "\"null\"}]}");
    buf_add(&text, open, strlen(open));
    for (int i = NESTED - 1; i > 0; i--) {
        char piece[64];
        int n = snprintf(piece, sizeof piece, "},{\"name\":\"b\",\"type\":\"T%d\"}]}", i);
        buf_add(&text, piece, (size_t)n);
    }
    buf_add(&text, "}]}", sizeof "}]}");
    for (int i = 0; i < 100; i++)
        assert_string_equal(plan_for((char *)text.data), "3");
    free(open);
    buf_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversions_as_avro_has_them), cmocka_unit_test(any_type_is_passed_over),
        cmocka_unit_test(schemas_that_are_refused),     cmocka_unit_test(schemas_too_large_to_serve),
        cmocka_unit_test(empty_types_cost_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
