/* http: answers that go on. */
#include "http_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "priv/http_metrics.h"

enum { STREAMS = 2, LIMIT = 8192 };

/* Each by its place; the HTTP thread's, but for the atomics. */
static struct req *streams[STREAMS];
static atomic_int begun, ended, flushed;

static void on_end(void *stream) {
    *(struct req **)stream = NULL;
    atomic_fetch_add(&ended, 1);
}

static void begin(struct req *rq, int n) {
    streams[n] = rq;
    req_at_end(rq, on_end, &streams[n]);
    if (!req_stream(rq, "text/event-stream", LIMIT)) return;
    buf_add(req_stream_out(rq), "hello\n", 6);
    req_stream_flush(rq);
    atomic_fetch_add(&begun, 1);
}

static void first(struct req *rq) {
    begin(rq, 0);
}

static void second(struct req *rq) {
    begin(rq, 1);
}

static const struct route routes[] = {{"GET", "/first", first, 0}, {"GET", "/second", second, 0}, {0}};

static int setup(void **state) {
    (void)state;
    begun = ended = 0;
    hx_start((struct http_options){.routes = routes, .compress = true});
    return 0;
}

static int teardown(void **state) {
    (void)state;
    if (hx != NULL) hx_stop();
    return 0;
}

static void await(atomic_int *value, int wanted) {
    int64_t until = clock_mono_us() + HX_PATIENCE_S * INT64_C(1000000);
    while (atomic_load(value) != wanted && clock_mono_us() < until)
        poll(NULL, 0, 2);
    assert_int_equal(atomic_load(value), wanted);
}

static struct hx_conn *open_stream(const char *path) {
    struct hx_conn *c = hx_connect();
    char text[256];
    int before = begun;
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n", path);
    hx_send(c, text);
    await(&begun, before + 1);
    return c;
}

static void read_until(struct hx_conn *c, const char *text) {
    while (memmem(c->buf, c->len, text, strlen(text)) == NULL)
        assert_true(hx_more(c) > 0);
}

/* --- on the HTTP thread --- */

struct words {
    int stream;
    size_t n;
    const char *text;
};

static void say(void *arg) {
    const struct words *words = arg;
    struct req *rq = streams[words->stream];
    buf_add(req_stream_out(rq), words->text, words->n);
    atomic_store(&flushed, req_stream_flush(rq) ? 1 : 0);
}

static void end(void *arg) {
    req_stream_end(streams[*(int *)arg]);
}

/* Whether somebody is still there. */
static bool tell(int stream, const char *text, size_t n) {
    struct words words = {stream, n, text};
    atomic_store(&flushed, -1);
    http_tell(hx, 0, say, &words);
    while (atomic_load(&flushed) < 0)
        poll(NULL, 0, 1);
    return atomic_load(&flushed) == 1;
}

/* Whether the last words still wait, a while after, or nobody is there any more. Looks at the buffer on its
 * own thread. */
static void look(void *stream) {
    struct req *rq = streams[*(int *)stream];
    atomic_store(&flushed, rq == NULL || req_stream_out(rq)->len > 0);
}

static bool is_stuck(int stream) {
    poll(NULL, 0, 5);
    atomic_store(&flushed, -1);
    http_tell(hx, 0, look, &stream);
    while (atomic_load(&flushed) < 0)
        poll(NULL, 0, 1);
    return atomic_load(&flushed) == 1;
}

/* --- */

static void test_what_is_said_arrives_until_it_ends(void **state) {
    (void)state;
    struct hx_conn *c = open_stream("/first");
    read_until(c, "6\r\nhello\n\r\n");
    assert_non_null(strstr(c->buf, "HTTP/1.1 200 OK"));
    assert_non_null(strstr(c->buf, "content-type: text/event-stream"));
    assert_non_null(strstr(c->buf, "cache-control: no-store"));
    assert_non_null(strstr(c->buf, "Connection: close"));
    assert_null(strstr(c->buf, "content-length"));
    assert_null(strstr(c->buf, "content-encoding"));
    for (int i = 0; i < 100; i++) {
        char text[16];
        int n = snprintf(text, sizeof text, "<%d>", i);
        assert_true(tell(0, text, (size_t)n));
        read_until(c, text);
    }
    assert_int_equal(ended, 0);
    http_tell(hx, 0, end, &(int){0});
    read_until(c, "\r\n0\r\n\r\n");
    assert_int_equal(hx_more(c), 0);
    await(&ended, 1);
    hx_close(c);
}

static void test_who_leaves_is_noticed(void **state) {
    (void)state;
    hx_close(open_stream("/first"));
    await(&ended, 1);
}

static void test_who_does_not_keep_up_is_dropped(void **state) {
    (void)state;
    static char much[4096];
    memset(much, 'x', sizeof much);
    int64_t dropped = metric_value(M_STREAMS_DROPPED);
    struct hx_conn *slow = open_stream("/first"), *other = open_stream("/second");
    size_t said = 0;
    while (tell(0, much, sizeof much)) {
        said += sizeof much;
        assert_true(said < 16 << 20);
    }
    await(&ended, 1);
    assert_int_equal(metric_value(M_STREAMS_DROPPED), dropped + 1);
    assert_true(tell(1, "still here", 10));
    read_until(other, "still here");
    hx_close(slow);
    hx_close(other);
}

/* The kernel's buffers are full behind this much, and less than LIMIT waits: so it is the time that drops it.
 */
static void test_who_takes_nothing_is_dropped_and_who_is_told_nothing_stays(void **state) {
    (void)state;
    static char much[LIMIT];
    struct hx_conn *slow = open_stream("/first"), *silent = open_stream("/second");
    int64_t dropped = metric_value(M_STREAMS_DROPPED), before = clock_mono_us();
    int64_t until = before + HX_PATIENCE_S * INT64_C(1000000);
    while (atomic_load(&ended) == 0 && clock_mono_us() < until)
        if (is_stuck(0))
            poll(NULL, 0, 2);
        else // the kernel found room once more
            tell(0, much, LIMIT / 2);
    await(&ended, 1);
    assert_int_equal(metric_value(M_STREAMS_DROPPED), dropped + 1);
    assert_true(clock_mono_us() - before > 9 * 1000000);
    assert_true(tell(1, "still here", 10));
    read_until(silent, "still here");
    hx_close(slow);
    hx_close(silent);
}

static void test_a_drain_ends_them_in_order(void **state) {
    (void)state;
    struct hx_conn *c = open_stream("/first"), *other = open_stream("/second");
    int64_t before = clock_mono_us();
    http_drain(hx, 5000);
    assert_true(clock_mono_us() - before < 3000000);
    read_until(c, "\r\n0\r\n\r\n");
    read_until(other, "\r\n0\r\n\r\n");
    await(&ended, 2);
    http_free(hx);
    hx = NULL;
    hx_close(c);
    hx_close(other);
}

static void test_head_has_no_body(void **state) {
    (void)state;
    struct hx_conn *c = hx_connect();
    hx_send(c, "HEAD /first HTTP/1.1\r\nhost: x\r\n\r\n");
    while (hx_more(c) > 0)
        continue;
    assert_non_null(strstr(c->buf, "HTTP/1.1 200 OK"));
    assert_memory_equal(c->buf + c->len - 4, "\r\n\r\n", 4);
    assert_null(strstr(c->buf, "hello"));
    await(&ended, 1);
    hx_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_said_arrives_until_it_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_leaves_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_does_not_keep_up_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_takes_nothing_is_dropped_and_who_is_told_nothing_stays,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_drain_ends_them_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_has_no_body, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
