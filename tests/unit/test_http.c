/* http: the protocol. Paths and methods, limits, what is malformed, slow and leaving clients. */
#include "http_fixture.h"

#include "metrics.h"

#define A "0199a2c0-0000-7000-8000-00000000000a"
#define B "0199a2c0-0000-7000-8000-00000000000b"

enum { LARGE = 900 * 1000 };

static int served; /* requests that reached a handler */

static void say_hello(struct req *rq) {
    served++;
    struct json *j = req_json(rq);
    json_open(j, '{');
    json_key(j, "hello");
    json_text(j, STR("world"));
    json_close(j, '}');
    req_reply(rq, 200);
}

static void say_ids(struct req *rq) {
    struct uuid first = req_path_uuid(rq, 0), second = req_path_uuid(rq, 1);
    struct json *j = req_json(rq);
    json_open(j, '[');
    json_uuid(j, &first);
    json_uuid(j, &second);
    json_close(j, ']');
    req_reply(rq, 200);
}

static void say_size(struct req *rq) {
    served++;
    json_int(req_json(rq), (int64_t)req_raw_body(rq).n);
    req_reply(rq, 200);
}

static void say_much(struct req *rq) {
    char *text = req_alloc(rq, LARGE);
    memset(text, 'x', LARGE);
    req_reply_raw(rq, 200, "text/plain", (struct str){text, LARGE});
}

static void say_nothing(struct req *rq) {
    req_reply(rq, 204);
}

static void forget(struct req *rq) {
    (void)rq;
}

static void fail_or_not(struct req *rq) {
    if (str_eq(req_path_text(rq, 0), STR("well"))) return req_reply(rq, 204);
    req_retry_after(rq, 503, 1, "too much");
}

static const struct route routes[] = {
    {"GET", "/hello", say_hello, 0},
    {"GET", "/ids/{uuid}/{uuid}", say_ids, 0},
    {"POST", "/size", say_size, 0},
    {"GET", "/much", say_much, 0},
    {"DELETE", "/nothing", say_nothing, 0},
    {"GET", "/forget", forget, 0},
    {"GET", "/.well-known/x", say_hello, 0},
    {"GET", "/measured/{text}", fail_or_not, ROUTE_MEASURED},
    {0},
};

#define HELLO "{\"hello\":\"world\"}"

static void an_answer_carries_its_headers(void **state) {
    (void)state;
    struct hx_answer *a = hx_get("/hello");
    hx_expect(a, 200, HELLO);
    assert_string_equal(hx_header(a, "content-type"), "application/json");
    assert_string_equal(hx_header(a, "cache-control"), "no-store");
    assert_string_equal(hx_header(a, "x-content-type-options"), "nosniff");
    assert_string_equal(hx_header(a, "connection"), "keep-alive");
    assert_int_equal(strlen(hx_header(a, "traceparent")), 55);
    assert_null(hx_header(a, "server"));
    a = hx_request("DELETE /nothing", "", NULL);
    hx_expect(a, 204, "");
    assert_null(hx_header(a, "content-length"));
    assert_null(hx_header(a, "content-type"));
}

static void paths(void **state) {
    (void)state;
    static const char *const good[] = {"/hello",   "/hello/",  "/HeLLo/",     "/hello?x=1",
                                       "/%68ello", "/./hello", "/x/../hello", "/hello/?"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        hx_expect(hx_get(good[i]), 200, HELLO);
    static const char *const bad[] = {
        "/",      "/hell", "/hello/x",  "//hello",        "/hello//", "/hello%00",     "/hello%2",
        "/../..", "/%",    ("/ids/" A), ("/ids/" A "/x"), "*",        "http://x/hello"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        hx_expect_error(hx_get(bad[i]), 404, "No such path");
    hx_expect(hx_get("/.well-known/X"), 200, HELLO);
    hx_expect(hx_get("/ids/" A "/0199A2C0-0000-7000-8000-00000000000B/"), 200, "[\"" A "\",\"" B "\"]");
}

static void methods(void **state) {
    (void)state;
    struct hx_answer *a = hx_request("PUT /hello", "", "{}");
    hx_expect_error(a, 405, "no such method");
    assert_string_equal(hx_header(a, "allow"), "GET, HEAD");
    a = hx_request("OPTIONS /size", "", NULL);
    assert_int_equal(a->status, 405);
    assert_string_equal(hx_header(a, "allow"), "POST");
    a = hx_request("HEAD /hello", "", NULL);
    assert_int_equal(a->status, 200);
    assert_string_equal(hx_header(a, "content-length"), "17");
    struct hx_conn *c = hx_connect(); /* nothing is sent behind a HEAD's headers */
    hx_send(
        c,
        "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\nHEAD /nope HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(hx_receive(c, true)->status, 200);
    assert_int_equal(hx_receive(c, true)->status, 404);
    hx_expect(hx_receive(c, false), 200, HELLO);
    hx_close(c);
}

static void pipelined_requests_are_answered_in_order(void **state) {
    (void)state;
    struct hx_conn *c = hx_connect();
    char text[20000], *p = text;
    for (int i = 0; i < 100; i++)
        p += sprintf(
            p, "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%.*s", i, i,
            "x\nGET / HTTP/1.1\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    hx_send(c, text);
    for (int i = 0; i < 100; i++) {
        char wanted[8];
        sprintf(wanted, "%d", i);
        hx_expect(hx_receive(c, false), 200, wanted);
    }
    hx_close(c);
}

static void bytes_may_come_one_by_one(void **state) {
    (void)state;
    struct hx_conn *c = hx_connect();
    const char *text =
        "POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nx: y\r\n\r\n";
    for (const char *p = text; *p != '\0'; p++)
        hx_write(c, p, 1);
    hx_expect(hx_receive(c, false), 200, "13");
    hx_close(c);
}

static void a_slow_reader_gets_all(void **state) {
    (void)state;
    struct hx_conn *c = hx_connect();
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &(int){32768}, sizeof(int));
    hx_send(c, "GET /much HTTP/1.1\r\nHost: x\r\n\r\n");
    hx_expect(hx_get("/hello"), 200, HELLO); /* others are served meanwhile */
    struct hx_answer *a = hx_receive(c, false);
    assert_int_equal(a->n, LARGE);
    for (size_t i = 0; i < a->n; i++)
        assert_int_equal(a->body[i], 'x');
    hx_close(c);
}

static void leaving_clients_harm_nobody(void **state) {
    (void)state;
    const char *text = "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789";
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        struct hx_conn *c = hx_connect();
        hx_write(c, text, cut);
        if (cut % 2 == 0)
            setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
                       sizeof(struct linger)); /* by a reset */
        hx_close(c);
    }
    struct hx_conn *c = hx_connect(); /* gone while a long answer is on its way */
    hx_send(c, "GET /much HTTP/1.1\r\nHost: x\r\n\r\n");
    hx_more(c);
    hx_close(c);
    hx_expect(hx_get("/hello"), 200, HELLO);
}

static int connections(void) {
    struct buf text = {0};
    metrics_write(&text);
    buf_add(&text, "", 1);
    const char *name = "\nonsale_http_connections ";
    int n = atoi(strstr((char *)text.data, name) + strlen(name));
    buf_free(&text);
    return n;
}

/* Neither with a request nor with reading its answer. An idle connection may stay. */
static void nobody_may_be_slower_than_ten_seconds(void **state) {
    (void)state;
    static const char *const starts[] = {"GET /hel",
                                         "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234"};
    struct hx_conn *slow[2], *idle = hx_connect(), *deaf = hx_connect();
    hx_send(idle, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    hx_receive(idle, false);
    for (int i = 0; i < 20; i++)
        hx_send(deaf, "GET /much HTTP/1.1\r\nHost: x\r\n\r\n"); /* more than the kernel buffers */
    int64_t begun = clock_mono_us();
    for (int i = 0; i < 2; i++)
        hx_send(slow[i] = hx_connect(), starts[i]);
    hx_until(connections() == 4);
    for (int i = 0; i < 2; i++) {
        assert_true(hx_closed(slow[i]));
        hx_close(slow[i]);
    }
    assert_in_range(clock_mono_us() - begun, 9900000, 15000000);
    hx_until(connections() == 1);
    hx_send(idle, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    hx_expect(hx_receive(idle, false), 200, HELLO);
    hx_close(idle);
    hx_close(deaf);
}

/* --- limits --- */

static char *repeated(const char *before, const char *piece, int times, const char *after) {
    char *text = calloc(1, strlen(before) + strlen(piece) * (size_t)times + strlen(after) + 1),
         *p = stpcpy(text, before);
    while (times-- > 0)
        p = stpcpy(p, piece);
    stpcpy(p, after);
    return text;
}

static void heads_are_limited(void **state) {
    (void)state;
    char *text = repeated("GET /hello HTTP/1.1\r\nHost: x\r\nX: ", "xxxxxxxxxx", 3200, "\r\n\r\n");
    hx_expect(hx_exchange(text), 200, HELLO);
    free(text);
    text = repeated("GET /hello HTTP/1.1\r\nHost: x\r\nX: ", "xxxxxxxxxx", 3300, "\r\n\r\n");
    hx_expect_error(hx_exchange(text), 431, "headers are larger than 32 KiB");
    free(text);
    text = repeated("GET /hello HTTP/1.1\r\nHost: x\r\nX: ", "xxxxxxxxxx", 60000, "\r\n\r\n");
    assert_int_equal(hx_exchange(text)->status, 400);
    free(text);
    text = repeated("GET /hello HTTP/1.1\r\nHost: x\r\n", "X: y\r\n", 5000, "\r\n");
    assert_int_equal(hx_exchange(text)->status, 400);
    free(text);
    text = repeated("GET /", "x", 40000, " HTTP/1.1\r\nHost: x\r\n\r\n");
    hx_expect_error(hx_exchange(text), 431, "larger");
    free(text);
}

static void bodies_are_limited(void **state) {
    (void)state;
    char *text = repeated("POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n", "x", 65536, "");
    hx_expect(hx_exchange(text), 200, "65536");
    free(text);
    text = repeated("POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", "x", 65537, "");
    hx_expect_error(hx_exchange(text), 413, "64 KiB");
    free(text);
    text = repeated("POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "A\r\n0123456789\r\n", 7000, "0\r\n\r\n");
    hx_expect_error(hx_exchange(text), 413, "64 KiB");
    free(text);
    hx_expect_error(hx_exchange("POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"), 413,
                    "64 KiB");
}

/* A client that sends all before it reads gets the answer all the same, not a reset. */
static void the_answer_to_a_huge_body_arrives(void **state) {
    (void)state;
    for (int round = 0; round < 5; round++) {
        char *text = repeated("POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 6000000\r\n\r\n",
                              "0123456789", 600000, "");
        struct hx_conn *c = hx_connect();
        assert_true(hx_send(c, text));
        struct hx_answer *a = hx_receive(c, false);
        hx_expect_error(a, 413, "64 KiB");
        assert_string_equal(hx_header(a, "connection"), "close");
        shutdown(c->fd, SHUT_WR);
        assert_true(hx_closed(c));
        hx_close(c);
        free(text);
    }
}

static void expectations(void **state) {
    (void)state;
    struct hx_conn *c = hx_connect();
    hx_send(c, "POST /size HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert_int_equal(hx_receive(c, true)->status, 100);
    hx_send(c, "abc");
    hx_expect(hx_receive(c, false), 200, "3");
    hx_close(c);
    hx_expect_error(hx_request("POST /size", "Expect: wonders\r\n", "abc"), 417, "expectation");
}

/* --- what is malformed --- */

static void two_readings_of_a_length_are_refused(void **state) {
    (void)state;
    static const char *const requests[] = {
        "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\ncontent-LENGTH: 4\r\n\r\nabcd",
        "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
        "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
        "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nabc",
        "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\nabc",
        "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc",
        "POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n",
        "POST /size HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n0\r\n\r\n",
        "POST /size HTTP/1.1\r\nHost: x\r\nX: y\r\n Content-Length: 3\r\n\r\nabc",
        "GET /hello HTTP/1.1\r\nHost: x\r\nX: y\r\n\tz\r\n\r\n",
        "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "\r\nGET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    };
    served = 0;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct hx_conn *c = hx_connect();
        hx_send(c, requests[i]);
        struct hx_answer *a = hx_receive(c, false);
        if (a->status != 400) fail_msg("%d to %s", a->status, requests[i]);
        hx_expect_error(a, 400, "");
        assert_string_equal(hx_header(a, "connection"), "close");
        assert_true(hx_closed(c));
        hx_close(c);
    }
    assert_int_equal(served, 0);
}

static void what_is_no_http_is_refused(void **state) {
    (void)state;
    static const char *const requests[] = {
        "GARBAGE\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /hello HTTP/1.1\r\n: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: x\r\nX: \x01\r\n\r\n",
        "\x16\x03\x01\x02\x01 and so on",
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        assert_int_equal(hx_exchange(requests[i])->status, 400);
    struct hx_answer *a = hx_request(
        "GET /hello", "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
        NULL);
    hx_expect(a, 200, HELLO); /* no HTTP/2 here */
}

static void http_1_0(void **state) {
    (void)state;
    struct hx_conn *c = hx_connect();
    hx_send(c, "GET /hello HTTP/1.0\r\n\r\n");
    hx_expect(hx_receive(c, false), 200, HELLO);
    assert_true(hx_closed(c));
    hx_close(c);
}

static void a_handler_that_forgets_is_found_out(void **state) {
    (void)state;
    hx_expect_error(hx_get("/forget"), 500, "Internal error");
}

static void what_is_measured(void **state) {
    (void)state;
    struct http_measure before, now;
    static const struct histogram none;
    http_measure(hx, &before);
    hx_get("/hello");
    hx_get("/there-is-none");
    hx_get("/measured/well");
    hx_get("/measured/well");
    hx_get("/measured/badly");
    hx_until((http_measure(hx, &now), now.answered - before.answered == 5 && now.waiting == 0));
    assert_int_equal(now.good - before.good, 2);
    assert_int_equal(now.failed - before.failed, 1);
    assert_int_equal(histogram_quantile_us(&none, &before.took, 1), 0);
    assert_true(histogram_quantile_us(&none, &now.took, 1) > 0);
}

static int set_up(void **state) {
    (void)state;
    hx_start((struct http_options){.routes = routes, .threads = 2});
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    hx_stop();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_carries_its_headers),
        cmocka_unit_test(paths),
        cmocka_unit_test(methods),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(a_slow_reader_gets_all),
        cmocka_unit_test(leaving_clients_harm_nobody),
        cmocka_unit_test(nobody_may_be_slower_than_ten_seconds),
        cmocka_unit_test(heads_are_limited),
        cmocka_unit_test(bodies_are_limited),
        cmocka_unit_test(the_answer_to_a_huge_body_arrives),
        cmocka_unit_test(expectations),
        cmocka_unit_test(two_readings_of_a_length_are_refused),
        cmocka_unit_test(what_is_no_http_is_refused),
        cmocka_unit_test(http_1_0),
        cmocka_unit_test(a_handler_that_forgets_is_found_out),
        cmocka_unit_test(what_is_measured),
    };
    if (getenv("ONLY")) cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
