/* What the web client needs of http: a page where no route is, the request's own words for it, compression.
 */
#include <zlib.h>

#include "http_fixture.h"

static char big[20000];

static void send_page(struct req *rq) {
    req_reply_raw(rq, 200, "text/html; charset=utf-8", (struct str){big, sizeof big});
}

static void send_small(struct req *rq) {
    req_reply_raw(rq, 200, "text/html; charset=utf-8", STR("<p>small</p>"));
}

static void echo(struct req *rq) {
    struct str form = {0}, host = req_host(rq), target = req_target(rq);
    bool has = req_get_cookie(rq, "form", &form);
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_put_text(out, "host", host);
    json_put_text(out, "target", target);
    if (has) json_put_text(out, "form", form);
    json_close(out, '}');
    req_reply(rq, 200);
}

static void send_missing(struct req *rq) {
    req_reply_raw(rq, 404, "text/html", STR("nothing here"));
}

static void forget(struct req *rq) {
    (void)rq;
}

static const struct route routes[] = {
    {"GET", "/page", send_page, 0}, {"GET", "/small", send_small, 0}, {"GET", "/echo", echo, 0}, {0}};

static void start(req_handler *missing, bool compress) {
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = "<p>tickets</p>\n"[i % 15];
    hx_start((struct http_options){.routes = routes, .missing = missing, .compress = compress});
}

static void test_a_page_where_nothing_is(void **state) {
    (void)state;
    start(send_missing, false);
    struct hx_answer *a = hx_get("/no/where?at=all");
    hx_expect(a, 404, "nothing here");
    assert_string_equal(hx_header(a, "content-type"), "text/html");
    hx_expect_error(hx_request("POST /page", "", ""), 405, "no such method");
    hx_stop();
    start(forget, false);
    hx_expect_error(hx_get("/nowhere"), 500, "Internal");
    hx_stop();
    start(NULL, false);
    hx_expect_error(hx_get("/nowhere"), 404, "No such path");
    hx_stop();
}

static void test_the_requests_own_words(void **state) {
    (void)state;
    start(NULL, false);
    hx_expect(hx_get("/echo?a=%20b&c"), 200, "{\"host\":\"x\",\"target\":\"/echo?a=%20b&c\"}");
    hx_expect(hx_request("GET /Echo/", "Cookie: a=1; form=abc\r\n", NULL), 200,
              "{\"host\":\"x\",\"target\":\"/Echo/\",\"form\":\"abc\"}");
    hx_expect(hx_request("GET /echo", "Cookie: a=1\r\nCookie: form=\"q\"\r\n", NULL), 200,
              "{\"host\":\"x\",\"target\":\"/echo\",\"form\":\"q\"}");
    hx_stop();
}

/* The chunks of an answer whose length was not known, unpacked. */
static size_t unpack(struct hx_conn *c, char *out, size_t room) {
    static char packed[sizeof big];
    size_t n = 0;
    while (memmem(c->buf, c->len, "\r\n0\r\n\r\n", 7) == NULL)
        if (hx_more(c) <= 0) fail_msg("the end within a body");
    char *p = (char *)memmem(c->buf, c->len, "\r\n\r\n", 4) + 4;
    for (size_t size; (size = strtoul(p, &p, 16)) > 0; p += size + 2) {
        memcpy(packed + n, p + 2, size);
        n += size;
        p += 2;
    }
    z_stream z = {
        .next_in = (Bytef *)packed, .avail_in = (uInt)n, .next_out = (Bytef *)out, .avail_out = (uInt)room};
    assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    inflateEnd(&z);
    assert_true(n < room / 5);
    return z.total_out;
}

static void test_compression(void **state) {
    (void)state;
    start(send_missing, true);
    static char out[sizeof big + 1];
    struct hx_conn *c = hx_connect();
    hx_send(c, "GET /page HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, br\r\n\r\n");
    assert_int_equal(unpack(c, out, sizeof out), sizeof big);
    assert_memory_equal(out, big, sizeof big);
    assert_non_null(memmem(c->buf, c->len, "content-encoding: gzip", 22));
    assert_non_null(memmem(c->buf, c->len, "vary: accept-encoding", 21));
    hx_close(c);
    struct hx_answer *a = hx_get("/page");
    assert_int_equal(a->n, sizeof big);
    assert_null(hx_header(a, "content-encoding"));
    a = hx_request("GET /small", "Accept-Encoding: gzip\r\n", NULL);
    hx_expect(a, 200, "<p>small</p>");
    hx_stop();
    start(NULL, false);
    a = hx_request("GET /page", "Accept-Encoding: gzip\r\n", NULL);
    assert_null(hx_header(a, "content-encoding"));
    assert_int_equal(a->n, sizeof big);
    hx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_page_where_nothing_is),
        cmocka_unit_test(test_the_requests_own_words),
        cmocka_unit_test(test_compression),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
