/* The registry client and the wire format against answers that a real registry gives only when it is ill; the
 * healthy one is in tests/integration/test_schemas.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <time.h>

#include "clock.h"
#include "events.h"
#include "fake_http.h"
#include "registry.h"
#include "wire.h"

#define HEAD(code) "HTTP/1.1 " code "\r\nConnection: close\r\n\r\n"
#define OK(body)   HEAD("200 OK") body
#define LEVEL      OK("{\"compatibilityLevel\":\"BACKWARD\"}")
#define UNKNOWN    HEAD("404 Not Found") "{\"error_code\":40403,\"message\":\"Schema not found\"}"

enum { PATIENCE_MS = 1000, LONG_MS = 10 * 60 * 1000 };

struct pair {
    struct fake_http *server;
    struct registry *registry;
};

static int set_up(void **state) {
    struct pair *p = calloc(1, sizeof *p);
    char url[64];
    p->server = fake_start();
    snprintf(url, sizeof url, "http://me:secret@127.0.0.1:%d/base/", p->server->port);
    p->registry = registry_new(url);
    *state = p;
    return 0;
}

static int tear_down(void **state) {
    struct pair *p = *state;
    registry_free(p->registry);
    fake_stop(p->server);
    free(p);
    return 0;
}

/* --- registering --- */

static enum status register_text(struct pair *p, int32_t *id, struct why *w) {
    *w = (struct why){.text = ""};
    enum status st =
        registry_register(p->registry, "tickets-value", "{\"type\":\"a \\\"quoted\\\" word\"}", id, w);
    assert_null(strstr(w->text, "secret"));
    assert_true((st == ST_OK) == (w->text[0] == '\0'));
    return st;
}

static void registers_after_setting_the_level(void **state) {
    struct pair *p = *state;
    struct why w;
    int32_t id = 0;
    FAKE_TELL(p->server, LEVEL);
    assert_int_equal(register_text(p, &id, &w), ST_FAILED); /* the same answer to both: no id in it */
    assert_int_equal(fake_asked(p->server), 2);
    assert_non_null(strstr(w.text, "without an id"));

    FAKE_TELL(p->server, LEVEL, OK("{\"id\":7}"));
    assert_int_equal(register_text(p, &id, &w), ST_OK);
    assert_int_equal(id, 7);
    assert_true(fake_got(p->server, "POST /base/subjects/tickets-value/versions HTTP/1.1\r\n"));
    assert_true(fake_got(p->server, "\r\n\r\n{\"schema\":\"{\\\"type\\\":\\\"a \\\\\\\"quoted"));
}

static void sets_the_level_backward(void **state) {
    struct pair *p = *state;
    struct why w;
    int32_t id;
    static const char *const loose[] = {
        OK("{\"compatibilityLevel\":\"NONE\"}"), OK("{\"compatibilityLevel\":\"FORWARD\"}"),
        HEAD("404 Not Found") "{\"error_code\":40401}", HEAD("404 Not Found") "{\"error_code\":40408}"};
    for (size_t i = 0; i < sizeof loose / sizeof *loose; i++) {
        FAKE_TELL(p->server, loose[i], OK("{\"compatibilityLevel\":\"NONE\"}"), HEAD("503 Busy"));
        assert_int_equal(register_text(p, &id, &w), ST_LOST);
        assert_int_equal(fake_asked(p->server), 3); /* nothing is registered under a level nobody set */
        assert_true(fake_got(p->server, "PUT /base/config/tickets-value HTTP/1.1\r\n"));
        assert_true(fake_got(p->server, "\r\n\r\n{\"compatibility\":\"BACKWARD\"}"));
    }
    FAKE_TELL(p->server, HEAD("503 Busy"));
    assert_int_equal(register_text(p, &id, &w), ST_LOST);
    assert_true(fake_got(p->server, "GET /base/config/tickets-value HTTP/1.1\r\n"));
}

/* That of all subjects is pinned for ours, so that it holds whatever becomes of that. */
static void takes_the_level_of_all(void **state) {
    struct pair *p = *state;
    struct why w;
    int32_t id;
    FAKE_TELL(p->server, HEAD("404 Not Found") "{\"error_code\":40408}",
              OK("{\"compatibilityLevel\":\"FULL\"}"), HEAD("503 Busy"));
    assert_int_equal(register_text(p, &id, &w), ST_LOST);
    assert_true(fake_got(p->server, "\r\n\r\n{\"compatibility\":\"FULL\"}"));
}

static void keeps_a_stricter_level(void **state) {
    struct pair *p = *state;
    static const char *const strict[] = {OK("{\"compatibilityLevel\":\"BACKWARD_TRANSITIVE\"}"),
                                         OK("{\"compatibilityLevel\":\"FULL\"}"),
                                         OK("{\"compatibilityLevel\":\"FULL_TRANSITIVE\"}")};
    for (size_t i = 0; i < sizeof strict / sizeof *strict; i++) {
        struct why w;
        int32_t id;
        FAKE_TELL(p->server, strict[i], OK("{\"id\":7}"));
        assert_int_equal(register_text(p, &id, &w), ST_OK);
        assert_int_equal(fake_asked(p->server), 2); /* the level, and the schema */
    }
}

static void tells_a_no_from_an_illness(void **state) {
    struct pair *p = *state;
    static const struct {
        const char *answer;
        enum status expected;
        const char *words;
    } cases[] = {
        {HEAD("409 Conflict") "{\"error_code\":409,\"message\":\"Incompatible: seat\"}", ST_FAILED,
         "Incompatible: seat"},
        {HEAD("422 Unprocessable") "{\"error_code\":42201,\"message\":\"Invalid\"}", ST_FAILED, "Invalid"},
        {HEAD("401 Unauthorized"), ST_FAILED, "401"},
        {HEAD("404 Not Found") "<html>", ST_FAILED, "is its URL right?"},
        {HEAD("302 Found"), ST_FAILED, "302"},
        {HEAD("500 Internal") "{\"error_code\":50001,\"message\":\"Out of space\"}", ST_LOST, "Out of space"},
        {HEAD("503 Unavailable"), ST_LOST, "503"},
        {HEAD("429 Too Many"), ST_LOST, "429"},
        {OK("<html>welcome</html>"), ST_FAILED, "is its URL right?"},
        {OK("[]"), ST_FAILED, "is its URL right?"},
        {OK(""), ST_FAILED, "is its URL right?"},
        {OK("{\"id\":\"7\"}"), ST_FAILED, "without an id"},
        {OK("{\"id\":-1}"), ST_FAILED, "without an id"},
        {OK("{\"id\":4294967296}"), ST_FAILED, "without an id"},
        {"", ST_LOST, ""},
        {"nonsense\r\n\r\n", ST_LOST, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\":7}", ST_LOST, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct why w;
        int32_t id;
        FAKE_TELL(p->server, LEVEL, cases[i].answer);
        if (register_text(p, &id, &w) != cases[i].expected || strstr(w.text, cases[i].words) == NULL)
            fail_msg("after %s: %s", cases[i].answer, w.text);
    }
}

static void nobody_there_is_lost(void **state) {
    (void)state;
    struct fake_http *server = fake_start();
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", server->port);
    fake_stop(server);
    struct registry *r = registry_new(url);
    struct why w;
    int32_t id;
    assert_int_equal(registry_register(r, "x-value", "{}", &id, &w), ST_LOST);
    registry_free(r);
}

static void no_answer_is_waited_for_5_seconds(void **state) {
    struct pair *p = *state;
    struct why w;
    char *schema;
    FAKE_TELL(p->server, FAKE_HANG);
    int64_t start = clock_mono_us();
    assert_int_equal(registry_schema(p->registry, 1, &schema, &w), ST_LOST);
    assert_in_range(clock_mono_us() - start, 4900 * 1000, 30 * 1000 * 1000);
}

/* --- reading schemas --- */

static void reads_schemas(void **state) {
    struct pair *p = *state;
    struct why w;
    char *schema = NULL;
    FAKE_TELL(p->server, OK("{\"schema\":\"\\\"int\\\"\"}"));
    assert_int_equal(registry_schema(p->registry, 12, &schema, &w), ST_OK);
    assert_string_equal(schema, "\"int\"");
    free(schema);
    assert_true(fake_got(p->server, "GET /base/schemas/ids/12 HTTP/1.1\r\n"));
    FAKE_TELL(p->server, UNKNOWN);
    assert_int_equal(registry_schema(p->registry, 12, &schema, &w), ST_NOT_FOUND);
    FAKE_TELL(p->server, HEAD("404 Not Found") "<html>no such page</html>");
    assert_int_equal(registry_schema(p->registry, 12, &schema, &w), ST_FAILED);
    FAKE_TELL(p->server, HEAD("500 Internal") "{\"error_code\":40403}");
    assert_int_equal(registry_schema(p->registry, 12, &schema, &w), ST_LOST);
    FAKE_TELL(p->server, OK("{}"));
    assert_int_equal(registry_schema(p->registry, 12, &schema, &w), ST_FAILED);
}

static void endless_answers_are_cut(void **state) {
    struct pair *p = *state;
    struct why w;
    char *schema, *huge = malloc(2 * 1024 * 1024);
    memset(huge, ' ', 2 * 1024 * 1024);
    memcpy(huge, HEAD("200 OK"), strlen(HEAD("200 OK")));
    memcpy(huge + 2 * 1024 * 1024 - 20, "{\"schema\":\"\"}", 14);
    FAKE_TELL(p->server, huge);
    assert_int_equal(registry_schema(p->registry, 1, &schema, &w), ST_LOST);
    FAKE_TELL(p->server, UNKNOWN);
    assert_int_equal(registry_schema(p->registry, 1, &schema, &w),
                     ST_NOT_FOUND); /* and nothing is left of it */
    free(huge);
}

/* --- the wire format --- */

/* An answer that holds the schema text; free() it. */
static char *schema_answer(const char *schema) {
    json_t *body = json_pack("{s:s}", "schema", schema);
    char *text = json_dumps(body, 0), *answer = malloc(strlen(text) + 128);
    sprintf(answer, OK("%s"), text);
    free(text);
    json_decref(body);
    return answer;
}

static const struct user_event user = {.type = USER_UPDATED, .version = 2, .email = {"a@b.c", 5}};

static size_t user_value(uint8_t *out, size_t cap, int32_t id) {
    wire_header(out, id);
    return WIRE_HEADER + user_event_avro.encode(&user, out + WIRE_HEADER, cap - WIRE_HEADER);
}

static void asks_once_a_schema(void **state) {
    struct pair *p = *state;
    struct wire_decoder *d = wire_decoder_new(p->registry, &user_event_avro, PATIENCE_MS);
    char *own = schema_answer(user_event_avro.schema);
    uint8_t value[256];
    struct user_event event;
    struct why w;
    FAKE_TELL(p->server, own);
    for (int i = 0; i < 300; i++) {
        size_t n = user_value(value, sizeof value, i % 3 + 0x01020304);
        assert_int_equal(wire_decode(d, value, n, &event, &w), ST_OK);
        assert_true(str_eq(event.email, STR("a@b.c")));
        assert_int_equal(event.type, USER_UPDATED);
        assert_int_equal(wire_decode(d, value, n - 1, &event, &w), ST_INVALID);
    }
    assert_int_equal(fake_asked(p->server), 3);
    assert_true(fake_got(p->server, "/schemas/ids/16909062 "));
    free(own);
    wire_decoder_free(d);
}

static void values_without_a_schema_id(void **state) {
    struct pair *p = *state;
    struct wire_decoder *d = wire_decoder_new(p->registry, &user_event_avro, PATIENCE_MS);
    uint8_t value[256];
    struct user_event event;
    struct why w;
    FAKE_TELL(p->server, UNKNOWN);
    size_t n = user_value(value, sizeof value, -2);
    assert_int_equal(wire_decode(d, value, n, &event, &w), ST_INVALID);
    n = user_value(value, sizeof value, 7);
    value[0] = 1;
    assert_int_equal(wire_decode(d, value, n, &event, &w), ST_INVALID);
    value[0] = 0;
    for (size_t i = 0; i < WIRE_HEADER; i++)
        assert_int_equal(wire_decode(d, value, i, &event, &w), ST_INVALID);
    assert_int_equal(wire_decode(d, NULL, 0, &event, &w), ST_INVALID);
    assert_int_equal(fake_asked(p->server), 0);
    wire_decoder_free(d);
}

static enum status until_settled(struct wire_decoder *d, const uint8_t *value, size_t n, struct why *w) {
    struct user_event event;
    enum status st;
    while ((st = wire_decode(d, value, n, &event, w)) == ST_LOST)
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL); /* as a consumer backs off */
    return st;
}

static void a_node_that_lags_is_waited_for(void **state) {
    struct pair *p = *state;
    struct wire_decoder *d = wire_decoder_new(p->registry, &user_event_avro, LONG_MS);
    char *own = schema_answer(user_event_avro.schema);
    uint8_t value[256];
    struct why w;
    size_t n = user_value(value, sizeof value, 5);
    FAKE_TELL(p->server, UNKNOWN, UNKNOWN, own);
    assert_int_equal(until_settled(d, value, n, &w), ST_OK);
    assert_int_equal(fake_asked(p->server), 3);
    free(own);
    wire_decoder_free(d);
}

static void an_unknown_id_is_one_when_patience_ends(void **state) {
    struct pair *p = *state;
    struct wire_decoder *d = wire_decoder_new(p->registry, &user_event_avro, PATIENCE_MS);
    uint8_t value[256];
    struct why w;
    size_t n = user_value(value, sizeof value, 6);
    FAKE_TELL(p->server, UNKNOWN);
    int64_t start = clock_mono_us();
    assert_int_equal(until_settled(d, value, n, &w), ST_INVALID);
    assert_in_range(clock_mono_us() - start, PATIENCE_MS * 1000, 30 * 1000 * 1000);
    int asked = fake_asked(p->server);
    for (int i = 0; i < 100; i++)
        assert_int_equal(until_settled(d, value, n, &w), ST_INVALID);
    assert_int_equal(fake_asked(p->server), asked);
    assert_non_null(strstr(w.text, "no schema has the id 6"));
    wire_decoder_free(d);
}

/* The writer is newer than this program: a program as new as it may take over within patience. */
static void a_new_symbol_may_be_read_later(void **state) {
    struct pair *p = *state;
    struct wire_decoder *d = wire_decoder_new(p->registry, &user_event_avro, PATIENCE_MS);
    json_t *schema = json_loads(user_event_avro.schema, 0, NULL);
    json_t *type = json_object_get(json_array_get(json_object_get(schema, "fields"), 0), "type");
    json_array_append_new(json_object_get(type, "symbols"), json_string("UserRenamed"));
    char *text = json_dumps(schema, 0), *newer = schema_answer(text);
    uint8_t value[256];
    struct user_event event;
    struct why w;
    size_t n = user_value(value, sizeof value, 5);
    FAKE_TELL(p->server, newer);
    assert_int_equal(wire_decode(d, value, n, &event, &w), ST_OK);
    value[WIRE_HEADER] = (uint8_t)(2 * (json_array_size(json_object_get(type, "symbols")) - 1));
    assert_int_equal(wire_decode(d, value, n, &event, &w), ST_LOST);
    assert_non_null(strstr(w.text, "a newer version"));
    assert_int_equal(wire_decode(d, value, n - 1, &event, &w), ST_INVALID); /* cut: no version reads it */
    assert_int_equal(until_settled(d, value, n, &w), ST_INVALID);
    json_decref(schema);
    free(text);
    free(newer);
    wire_decoder_free(d);
}

/* A newer program could read it. */
static void a_schema_that_cannot_be_read_yet(void **state) {
    struct pair *p = *state;
    struct wire_decoder *d = wire_decoder_new(p->registry, &user_event_avro, PATIENCE_MS);
    json_t *schema = json_loads(user_event_avro.schema, 0, NULL);
    json_array_remove(json_object_get(schema, "fields"), 1); /* id: it has no default */
    char *text = json_dumps(schema, 0), *newer = schema_answer(text);
    uint8_t value[256];
    struct user_event event;
    struct why w;
    size_t n = user_value(value, sizeof value, 5);
    FAKE_TELL(p->server, newer);
    assert_int_equal(wire_decode(d, value, n, &event, &w), ST_LOST);
    assert_int_equal(until_settled(d, value, n, &w), ST_INVALID);
    json_decref(schema);
    free(text);
    free(newer);
    wire_decoder_free(d);
}

static void an_ill_registry_condemns_nothing(void **state) {
    struct pair *p = *state;
    struct wire_decoder *d = wire_decoder_new(p->registry, &user_event_avro, PATIENCE_MS);
    char *own = schema_answer(user_event_avro.schema);
    uint8_t value[256];
    struct user_event event;
    struct why w;
    size_t n = user_value(value, sizeof value, 5);
    const char *const ill[] = {HEAD("500 Internal"), HEAD("401 Unauthorized"), HEAD("404 Not Found"),
                               OK("<html>"), ""};
    for (size_t i = 0; i < sizeof ill / sizeof *ill; i++) {
        FAKE_TELL(p->server, ill[i]);
        struct wire_decoder *other = wire_decoder_new(p->registry, &user_event_avro, PATIENCE_MS);
        for (int k = 0; k < 100; k++)
            assert_int_equal(wire_decode(other, value, n, &event, &w), ST_LOST);
        assert_in_range(fake_asked(p->server), 1, 50); /* it is left alone for a while */
        wire_decoder_free(other);
    }
    FAKE_TELL(p->server, UNKNOWN,
              HEAD("401 Unauthorized")); /* nor one that is ill for longer than an unknown id needs */
    for (int64_t start = clock_mono_us(); clock_mono_us() - start < (PATIENCE_MS + 100) * 1000;) {
        assert_int_equal(wire_decode(d, value, n, &event, &w), ST_LOST);
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    }
    FAKE_TELL(p->server, own);
    assert_int_equal(until_settled(d, value, n, &w), ST_OK);
    free(own);
    wire_decoder_free(d);
}

static void a_schema_of_something_else(void **state) {
    struct pair *p = *state;
    struct wire_decoder *d = wire_decoder_new(p->registry, &user_event_avro, PATIENCE_MS);
    char *other = schema_answer(ticket_event_avro.schema);
    uint8_t value[256];
    struct user_event event;
    struct why w;
    size_t n = user_value(value, sizeof value, 5);
    FAKE_TELL(p->server, other);
    for (int i = 0; i < 10; i++)
        assert_int_equal(wire_decode(d, value, n, &event, &w), ST_INVALID);
    assert_int_equal(fake_asked(p->server), 1);
    assert_non_null(strstr(w.text, "onsale.TicketEvent"));
    free(other);
    wire_decoder_free(d);
}

/* More ids than are remembered: each is asked for, and the decoder goes on. */
static void made_up_ids_take_no_more_room(void **state) {
    struct pair *p = *state;
    struct wire_decoder *d = wire_decoder_new(p->registry, &user_event_avro, LONG_MS);
    char *own = schema_answer(user_event_avro.schema);
    uint8_t value[256];
    struct user_event event;
    struct why w;
    for (int round = 0; round < 2; round++) {
        FAKE_TELL(p->server, round == 0 ? UNKNOWN : own);
        for (int i = 0; i < 300; i++) {
            size_t n = user_value(value, sizeof value, i);
            assert_int_equal(wire_decode(d, value, n, &event, &w), round == 0 ? ST_LOST : ST_OK);
        }
    }
    size_t n = user_value(value, sizeof value, 299);
    int asked = fake_asked(p->server);
    assert_int_equal(wire_decode(d, value, n, &event, &w), ST_OK);
    assert_int_equal(fake_asked(p->server), asked);
    free(own);
    wire_decoder_free(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* --- who asks --- */

static void a_user_of_the_settings_asks(void **state) {
    struct pair *p = *state;
    const struct config_var *const tables[] = {registry_settings};
    struct why w = {0};
    char url[64];
    char *schema = NULL;
    setenv("SCHEMA_REGISTRY_USER", "onsale", 1);
    setenv("SCHEMA_REGISTRY_PASSWORD", "p@ss/w?rd", 1);
    assert_int_equal(config_load(tables, 1, &w), ST_OK);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", p->server->port);
    struct registry *r = registry_new(url);
    FAKE_TELL(p->server, OK("{\"schema\":\"{}\"}"));
    assert_int_equal(registry_schema(r, 7, &schema, &w), ST_OK);
    assert_true(fake_got(p->server, "Authorization: Basic b25zYWxlOnBAc3Mvdz9yZA==")); /* onsale:p@ss/w?rd */
    free(schema);
    FAKE_TELL(p->server, HEAD("401 Unauthorized"));
    assert_int_equal(registry_schema(r, 7, &schema, &w), ST_FAILED);
    assert_non_null(strstr(w.text, "401"));
    assert_null(strstr(w.text, "p@ss"));
    registry_free(r);
    unsetenv("SCHEMA_REGISTRY_USER");
    unsetenv("SCHEMA_REGISTRY_PASSWORD");
    assert_int_equal(config_load(tables, 1, &w), ST_OK); /* nobody again */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(registers_after_setting_the_level),
        TEST(sets_the_level_backward),
        TEST(takes_the_level_of_all),
        TEST(keeps_a_stricter_level),
        TEST(tells_a_no_from_an_illness),
        cmocka_unit_test(nobody_there_is_lost),
        TEST(no_answer_is_waited_for_5_seconds),
        TEST(reads_schemas),
        TEST(endless_answers_are_cut),
        TEST(asks_once_a_schema),
        TEST(values_without_a_schema_id),
        TEST(a_node_that_lags_is_waited_for),
        TEST(an_unknown_id_is_one_when_patience_ends),
        TEST(a_new_symbol_may_be_read_later),
        TEST(a_schema_that_cannot_be_read_yet),
        TEST(an_ill_registry_condemns_nothing),
        TEST(a_schema_of_something_else),
        TEST(made_up_ids_take_no_more_room),
        TEST(a_user_of_the_settings_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
