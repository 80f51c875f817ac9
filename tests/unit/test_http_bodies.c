/* http: routes that take large bodies, beside others that don't. */
#include "http_fixture.h"

enum { LARGE = 2 * 1000 * 1000 };

static void say_size(struct req *rq) {
    json_int(req_json(rq), (int64_t)req_raw_body(rq).n);
    req_reply(rq, 200);
}

static const struct route routes[] = {
    {"POST", "/small", say_size, 0},
    {"POST", "/large", say_size, ROUTE_LARGE_BODY},
    {0},
};

static struct hx_answer *send_bytes(const char *path, size_t n, bool chunked) {
    struct hx_conn *c = hx_connect();
    char head[128], *bytes = calloc(1, n + 1);
    snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: x\r\n%s: ", path,
             chunked ? "Transfer-Encoding" : "Content-Length");
    hx_send(c, head);
    snprintf(head, sizeof head, chunked ? "chunked\r\n\r\n%zx\r\n" : "%zu\r\n\r\n", n);
    hx_send(c, head);
    hx_write(c, bytes, n);
    if (chunked) hx_send(c, "\r\n0\r\n\r\n");
    struct hx_answer *a = hx_receive(c, false);
    free(bytes);
    hx_close(c);
    return a;
}

static void a_route_takes_what_it_says(void **state) {
    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        hx_expect(send_bytes("/large", LARGE - 1, chunked), 200, "1999999");
        hx_expect(send_bytes("/Large/?x=1", 65537, chunked), 200, "65537");
        hx_expect_error(send_bytes("/large", LARGE + 1, chunked), 413, "than this route takes");
    }
}

static void all_others_take_no_more_than_before(void **state) {
    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        hx_expect(send_bytes("/small", 65536, chunked), 200, "65536");
        hx_expect_error(send_bytes("/small", 65537, chunked), 413, "64 KiB");
        hx_expect_error(send_bytes("/nowhere", 65537, chunked), 413, "64 KiB");
        hx_expect_error(send_bytes("/small", LARGE + 1, chunked), 413, "64 KiB");
    }
}

/* The head and the body's first part; the rest does not come. */
static struct hx_conn *begin(const char *path) {
    enum { PART = 200 * 1000 };
    struct hx_conn *c = hx_connect();
    char head[128], *bytes = calloc(1, PART);
    snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, LARGE - 1);
    hx_send(c, head);
    assert_true(hx_write(c, bytes, PART));
    free(bytes);
    return c;
}

static void what_grows_too_large_is_not_waited_for(void **state) {
    (void)state;
    struct hx_conn *c = begin("/small");
    assert_true(hx_more(c) <= 0);
    hx_close(c);
}

static int closed(struct hx_conn *const *all, int n) {
    int count = 0;
    for (int i = 0; i < n; i++) {
        struct pollfd ended = {.fd = all[i]->fd, .events = POLLIN | POLLRDHUP};
        count += poll(&ended, 1, 0) == 1;
    }
    return count;
}

/* Of more than may be read at a time some end, and the others go on. */
static void only_some_large_ones_are_read_at_a_time(void **state) {
    (void)state;
    enum { MOST = 8, MORE = 11 };
    struct hx_conn *all[MORE];
    for (int i = 0; i < MORE; i++)
        all[i] = begin("/large");
    hx_until(closed(all, MORE) == MORE - MOST);
    for (int i = 0; i < MORE; i++)
        hx_close(all[i]);
    hx_expect(send_bytes("/large", LARGE - 1, false), 200, "1999999");
}

static int set_up(void **state) {
    (void)state;
    hx_start((struct http_options){.routes = routes, .threads = 1, .large_body = LARGE});
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    hx_stop();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_takes_what_it_says),
        cmocka_unit_test(all_others_take_no_more_than_before),
        cmocka_unit_test(what_grows_too_large_is_not_waited_for),
        cmocka_unit_test(only_some_large_ones_are_read_at_a_time),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
