/* Outgoing HTTP against our own server in this process, and against answers that only an ill one gives. */
#include "http_fixture.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "clock.h"
#include "fake_http.h"
#include "fetch.h"
#include "metrics.h"

/* --- a request, and how it ended --- */

struct outcome {
    sem_t ended;
    _Atomic int calls;
    enum status st;
    int code;
    char body[256], why[256], retry_after[16];
};

static void on_done(void *ctx, const struct fetch_answer *a) {
    struct outcome *o = ctx;
    o->st = a->st;
    o->code = a->code;
    snprintf(o->body, sizeof o->body, "%.*s", (int)a->body.n, a->body.n == 0 ? "" : a->body.p);
    snprintf(o->why, sizeof o->why, "%s", a->why == NULL ? "" : a->why);
    const char *later = fetch_header(a, "retry-after");
    snprintf(o->retry_after, sizeof o->retry_after, "%s", later == NULL ? "" : later);
    o->calls++;
    sem_post(&o->ended);
}

static void outcome_wait(struct outcome *o) {
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += HX_PATIENCE_S;
    if (sem_timedwait(&o->ended, &limit) != 0) fail_msg("a request that never ended");
    assert_int_equal(o->calls, 1);
}

static const char *url_of(int port, const char *path) {
    static _Thread_local char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    return url;
}

static struct outcome *submit(struct fetch *f, struct fetch_request r) {
    struct outcome *o = calloc(1, sizeof *o);
    sem_init(&o->ended, 0, 0);
    if (r.method == NULL) r.method = "GET";
    if (r.timeout_ms == 0) r.timeout_ms = HX_PATIENCE_S * 1000;
    fetch_submit(f, &r, on_done, o);
    return o;
}

static struct outcome ask(struct fetch *f, struct fetch_request r) {
    struct outcome *o = submit(f, r);
    outcome_wait(o);
    struct outcome copy = *o;
    free(o);
    return copy;
}

static struct fetch *start(int connections) {
    return fetch_start(
        &(struct fetch_options){.connections = connections, .connect_timeout_ms = 5000, .max_answer = 200});
}

/* --- a server --- */

static _Atomic int inside, most_inside, let_go;

static void echo(struct req *rq) {
    struct str type = STR("none"), key = STR("none");
    req_header(rq, "content-type", &type);
    req_header(rq, "x-key", &key);
    struct buf text = {0};
    struct str body = req_raw_body(rq);
    buf_printf(&text, "%.*s %.*s %.*s", (int)type.n, type.p, (int)key.n, key.p, (int)body.n, body.p);
    req_reply_raw(rq, 200, "text/plain", buf_str(&text));
    buf_free(&text);
}

static void busy(struct req *rq) {
    req_retry_after(rq, 503, 7, "busy");
}

static void long_answer(struct req *rq) {
    static const char text[201];
    req_reply_raw(rq, 200, "text/plain", (struct str){text, sizeof text});
}

static void until_let_go(struct req *rq) {
    if (!let_go) {
        req_later(rq, until_let_go);
        return;
    }
    inside--;
    req_reply_raw(rq, 200, "text/plain", STR("gone"));
}

static void wait_inside(struct req *rq) {
    int now = ++inside;
    if (now > most_inside) most_inside = now;
    until_let_go(rq);
}

static const struct route routes[] = {
    {"POST", "/echo", echo, 0},       {"GET", "/echo", echo, 0},        {"GET", "/busy", busy, 0},
    {"GET", "/long", long_answer, 0}, {"GET", "/wait", wait_inside, 0}, {0},
};

static int server_start(void **state) {
    (void)state;
    inside = most_inside = let_go = 0;
    hx_start((struct http_options){.routes = routes});
    return 0;
}

static int server_stop(void **state) {
    (void)state;
    hx_stop();
    return 0;
}

/* --- what comes back --- */

static void asks_and_answers(void **state) {
    (void)state;
    struct fetch *f = start(4);
    const char *headers[] = {"X-Key: a b", "Content-Type: text/strange", NULL};
    struct outcome o = ask(f, (struct fetch_request){.method = "POST",
                                                     .url = url_of(hx_port, "/echo"),
                                                     .headers = headers,
                                                     .body = STR("x=1&y=%20")});
    assert_int_equal(o.st, ST_OK);
    assert_int_equal(o.code, 200);
    assert_string_equal(o.body, "text/strange a b x=1&y=%20");
    /* Nothing is left of it in the handle that is used again. */
    o = ask(f, (struct fetch_request){.url = url_of(hx_port, "/echo")});
    assert_string_equal(o.body, "none none ");
    o = ask(f, (struct fetch_request){.method = "POST", .url = url_of(hx_port, "/echo")});
    assert_int_equal(o.code, 200);
    o = ask(f, (struct fetch_request){.url = url_of(hx_port, "/busy")});
    assert_int_equal(o.st, ST_OK);
    assert_int_equal(o.code, 503);
    assert_string_equal(o.retry_after, "7");
    assert_int_equal(fetch_in_flight(f), 0);
    fetch_free(f);
}

static void tells_what_went_wrong(void **state) {
    (void)state;
    struct fetch *f = start(4);
    struct fake_http *ill = fake_start();
    struct outcome o = ask(f, (struct fetch_request){.url = url_of(hx_port, "/long")});
    assert_int_equal(o.st, ST_LOST); /* longer than max_answer */
    FAKE_TELL(ill, "");
    o = ask(f, (struct fetch_request){.url = url_of(ill->port, "/")});
    assert_int_equal(o.st, ST_LOST);
    assert_int_equal(o.code, 0);
    assert_true(strlen(o.why) > 0);
    FAKE_TELL(ill, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    o = ask(f, (struct fetch_request){.url = url_of(ill->port, "/")});
    assert_int_equal(o.st, ST_LOST);
    FAKE_TELL(ill, FAKE_HANG);
    o = ask(f, (struct fetch_request){.url = url_of(ill->port, "/"), .timeout_ms = 50});
    assert_int_equal(o.st, ST_TIMEOUT);
    int port = ill->port;
    fake_stop(ill);
    o = ask(f, (struct fetch_request){.url = url_of(port, "/")});
    assert_int_equal(o.st, ST_LOST);
    o = ask(f, (struct fetch_request){.url = "file:///etc/passwd"});
    assert_int_equal(o.st, ST_INVALID);
    fetch_free(f);
}

static void a_redirect_is_not_followed(void **state) {
    (void)state;
    struct fetch *f = start(1);
    struct fake_http *ill = fake_start();
    char answer[256];
    snprintf(answer, sizeof answer, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
             url_of(hx_port, "/echo"));
    FAKE_TELL(ill, answer);
    struct outcome o = ask(f, (struct fetch_request){.url = url_of(ill->port, "/")});
    assert_int_equal(o.code, 302);
    fake_stop(ill);
    fetch_free(f);
}

/* --- connections --- */

static void *serve_one_connection(void *arg) {
    int listener = *(int *)arg, fd = accept(listener, NULL, NULL);
    static char request[FAKE_REQUEST];
    do {
        fake_read(fd, request);
        if (request[0] != '\0') fake_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    } while (request[0] != '\0');
    close(fd);
    return NULL;
}

/* The server takes one connection, ever: a second one would wait in vain. */
static void connections_are_used_again(void **state) {
    (void)state;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    assert_return_code(bind(listener, (struct sockaddr *)&at, size), errno);
    assert_return_code(listen(listener, 1), errno);
    assert_return_code(getsockname(listener, (struct sockaddr *)&at, &size), errno);
    pthread_t thread;
    pthread_create(&thread, NULL, serve_one_connection, &listener);
    struct fetch *f = start(8);
    for (int i = 0; i < 20; i++) {
        struct outcome o =
            ask(f, (struct fetch_request){.url = url_of(ntohs(at.sin_port), "/"), .timeout_ms = 5000});
        assert_int_equal(o.st, ST_OK);
        assert_string_equal(o.body, "ok");
    }
    fetch_free(f);
    pthread_join(thread, NULL);
    close(listener);
}

static void no_more_at_a_time_than_connections(void **state) {
    (void)state;
    enum { CONNECTIONS = 3, REQUESTS = 20 };
    struct fetch *f = start(CONNECTIONS);
    struct outcome *all[REQUESTS];
    for (int i = 0; i < REQUESTS; i++)
        all[i] = submit(f, (struct fetch_request){.url = url_of(hx_port, "/wait")});
    hx_until(inside == CONNECTIONS);
    assert_int_equal(fetch_in_flight(f), REQUESTS);
    let_go = 1;
    for (int i = 0; i < REQUESTS; i++) {
        outcome_wait(all[i]);
        assert_string_equal(all[i]->body, "gone");
        free(all[i]);
    }
    assert_int_equal(most_inside, CONNECTIONS);
    fetch_free(f);
}

/* Those in front take all the room, for longer than it may wait. */
static void who_finds_no_room_in_time_is_told(void **state) {
    (void)state;
    struct fetch *f = start(1);
    struct outcome *front = submit(f, (struct fetch_request){.url = url_of(hx_port, "/wait")});
    hx_until(inside == 1);
    int64_t begin = clock_mono_us();
    struct outcome o = ask(f, (struct fetch_request){.url = url_of(hx_port, "/echo"), .timeout_ms = 50});
    assert_int_equal(o.st, ST_TIMEOUT);
    assert_true(clock_mono_us() - begin < 5 * 1000 * 1000);
    let_go = 1;
    outcome_wait(front);
    assert_int_equal(front->st, ST_OK);
    free(front);
    fetch_free(f);
}

/* --- time --- */

static void the_delayed_go_when_they_are_due(void **state) {
    (void)state;
    struct fetch *f = start(4);
    int64_t begin = clock_mono_us();
    struct outcome *later =
                       submit(f, (struct fetch_request){.url = url_of(hx_port, "/echo"), .delay_ms = 300}),
                   *last =
                       submit(f, (struct fetch_request){.url = url_of(hx_port, "/echo"), .delay_ms = 60000}),
                   *soon =
                       submit(f, (struct fetch_request){.url = url_of(hx_port, "/echo"), .delay_ms = 100});
    outcome_wait(soon);
    assert_true(clock_mono_us() - begin >= 100 * 1000);
    assert_int_equal(later->calls, 0);
    outcome_wait(later);
    assert_true(clock_mono_us() - begin >= 300 * 1000);
    assert_int_equal(last->calls, 0);
    fetch_free(f);
    outcome_wait(last);
    assert_int_equal(last->st, ST_STOPPED);
    free(soon);
    free(later);
    free(last);
}

static void note_turn(void *ctx, const struct fetch_answer *a) {
    static int turn;
    assert_int_equal(a->st, ST_OK);
    *(_Atomic int *)ctx = ++turn;
}

/* One connection, so the answers come in the order in which the requests were due. When exactly one was
 * submitted, only the two moments around that tell. */
static void many_delays_keep_their_order(void **state) {
    (void)state;
    enum { REQUESTS = 200, STEP = 7 };
    struct fetch *f = start(1);
    _Atomic int turns[REQUESTS] = {0};
    int64_t earliest_us[REQUESTS], latest_us[REQUESTS];
    char url[128];
    snprintf(url, sizeof url, "%s", url_of(hx_port, "/echo"));
    for (int i = 0; i < REQUESTS; i++) {
        struct fetch_request r = {
            .method = "GET", .url = url, .timeout_ms = 60000, .delay_ms = 200 + i * STEP % REQUESTS};
        earliest_us[i] = clock_mono_us() + r.delay_ms * INT64_C(1000);
        fetch_submit(f, &r, note_turn, &turns[i]);
        latest_us[i] = clock_mono_us() + r.delay_ms * INT64_C(1000);
    }
    hx_until(fetch_in_flight(f) == 0);
    fetch_free(f);
    for (int i = 0; i < REQUESTS; i++)
        for (int j = 0; j < REQUESTS; j++)
            if (latest_us[i] < earliest_us[j]) assert_true(turns[i] < turns[j]);
}

/* --- the end --- */

struct again {
    struct fetch *f;
    struct outcome *second;
};

static void submit_again(void *ctx, const struct fetch_answer *a) {
    struct again *again = ctx;
    assert_int_equal(a->st, ST_STOPPED);
    again->second = submit(again->f, (struct fetch_request){.url = url_of(hx_port, "/echo")});
}

static void the_end_answers_everybody(void **state) {
    (void)state;
    struct fetch *f = start(1);
    struct outcome *on_its_way = submit(f, (struct fetch_request){.url = url_of(hx_port, "/wait")}),
                   *waits = submit(f, (struct fetch_request){.url = url_of(hx_port, "/wait")});
    struct again again = {.f = f};
    fetch_submit(
        f, &(struct fetch_request){.method = "GET", .url = url_of(hx_port, "/wait"), .timeout_ms = 60000},
        submit_again, &again);
    hx_until(inside == 1);
    fetch_free(f);
    let_go = 1;
    struct outcome *all[] = {on_its_way, waits, again.second};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        outcome_wait(all[i]);
        assert_int_equal(all[i]->st, ST_STOPPED);
        free(all[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_start, server_stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(asks_and_answers),
        TEST(tells_what_went_wrong),
        TEST(a_redirect_is_not_followed),
        TEST(connections_are_used_again),
        TEST(no_more_at_a_time_than_connections),
        TEST(who_finds_no_room_in_time_is_told),
        TEST(the_delayed_go_when_they_are_due),
        TEST(many_delays_keep_their_order),
        TEST(the_end_answers_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
