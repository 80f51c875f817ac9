/* Outgoing HTTP of a thread that waits: answers, bounds, connections, and how others end its waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "clock.h"
#include "fake_http.h"
#include "fetch_blocking.h"

enum { PATIENCE_MS = 60000, NEVER_MS = 3600 * 1000 };

#define HEAD(code) "HTTP/1.1 " code "\r\nConnection: close\r\n\r\n"

struct pair {
    struct fake_http *server;
    struct fetch_blocking *client;
    char url[64];
};

static int set_up(void **state) {
    struct pair *p = calloc(1, sizeof *p);
    p->server = fake_start();
    p->client = fetch_blocking_new(&(struct fetch_options){.connect_timeout_ms = 5000, .max_answer = 200});
    snprintf(p->url, sizeof p->url, "http://127.0.0.1:%d/path", p->server->port);
    *state = p;
    return 0;
}

static int tear_down(void **state) {
    struct pair *p = *state;
    fetch_blocking_free(p->client);
    fake_stop(p->server);
    free(p);
    return 0;
}

static struct fetch_answer get(struct pair *p, int timeout_ms) {
    return fetch_blocking_perform(
        p->client, &(struct fetch_request){.method = "GET", .url = p->url, .timeout_ms = timeout_ms});
}

/* --- answers --- */

static void asks_and_answers(void **state) {
    struct pair *p = *state;
    static const char *const headers[] = {"Content-Type: text/strange", NULL};
    FAKE_TELL(p->server, "HTTP/1.1 200 OK\r\nRetry-After: 7\r\nConnection: close\r\n\r\nfine");
    struct fetch_answer a = fetch_blocking_perform(
        p->client,
        &(struct fetch_request){
            .method = "PUT", .url = p->url, .headers = headers, .body = STR("x=1"), .timeout_ms = 60000});
    assert_int_equal(a.st, ST_OK);
    assert_int_equal(a.code, 200);
    assert_string_equal(a.body.p, "fine");
    assert_string_equal(fetch_header(&a, "retry-after"), "7");
    assert_true(fake_got(p->server, "PUT /path HTTP/1.1\r\n"));
    assert_true(fake_got(p->server, "Content-Type: text/strange\r\n"));
    assert_true(fake_got(p->server, "\r\n\r\nx=1"));

    FAKE_TELL(p->server, HEAD("302 Found")); /* an answer like any other; and nothing is left of the first */
    a = get(p, PATIENCE_MS);
    assert_int_equal(a.st, ST_OK);
    assert_int_equal(a.code, 302);
    assert_int_equal(a.body.n, 0);
    assert_null(fetch_header(&a, "retry-after"));
    assert_true(fake_got(p->server, "GET /path HTTP/1.1\r\n"));
    assert_false(fake_got(p->server, "text/strange"));
    assert_false(fake_got(p->server, "x=1"));
}

static void tells_what_went_wrong(void **state) {
    struct pair *p = *state;
    char longest[300];
    snprintf(longest, sizeof longest, HEAD("200 OK") "%0200d", 0);
    FAKE_TELL(p->server, longest);
    assert_int_equal(get(p, PATIENCE_MS).st, ST_OK);
    snprintf(longest, sizeof longest, HEAD("200 OK") "%0201d", 0);
    FAKE_TELL(p->server, longest);
    assert_int_equal(get(p, PATIENCE_MS).st, ST_LOST);
    FAKE_TELL(p->server, "");
    struct fetch_answer a = get(p, PATIENCE_MS);
    assert_int_equal(a.st, ST_LOST);
    assert_int_equal(a.code, 0);
    assert_true(strlen(a.why) > 0);
    assert_null(fetch_header(&a, "retry-after"));
    FAKE_TELL(p->server, FAKE_HANG);
    assert_int_equal(get(p, 50).st, ST_TIMEOUT);
    snprintf(p->url, sizeof p->url, "file:///etc/passwd");
    assert_int_equal(get(p, PATIENCE_MS).st, ST_INVALID);
}

/* --- connections --- */

struct counter {
    int listener, connections, requests;
    pthread_t thread;
    char url[64];
};

/* Answers any number of requests on each connection, one connection at a time. */
static void *serve(void *arg) {
    struct counter *c = arg;
    static char request[FAKE_REQUEST];
    for (int fd; (fd = accept(c->listener, NULL, NULL)) >= 0; close(fd)) {
        c->connections++;
        for (fake_read(fd, request); request[0] != '\0'; fake_read(fd, request)) {
            c->requests++;
            fake_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }
    return NULL;
}

static struct counter ask_ten_times(bool no_reuse) {
    struct counter c = {.listener = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    assert_return_code(bind(c.listener, (struct sockaddr *)&at, size), errno);
    assert_return_code(listen(c.listener, 16), errno);
    assert_return_code(getsockname(c.listener, (struct sockaddr *)&at, &size), errno);
    snprintf(c.url, sizeof c.url, "http://127.0.0.1:%d/", ntohs(at.sin_port));
    pthread_create(&c.thread, NULL, serve, &c);
    struct fetch_blocking *b = fetch_blocking_new(
        &(struct fetch_options){.connect_timeout_ms = 5000, .max_answer = 200, .no_reuse = no_reuse});
    for (int i = 0; i < 10; i++) {
        struct fetch_answer a = fetch_blocking_perform(
            b, &(struct fetch_request){.method = "GET", .url = c.url, .timeout_ms = 5000});
        assert_int_equal(a.st, ST_OK);
        assert_string_equal(a.body.p, "ok");
    }
    fetch_blocking_free(b);
    shutdown(c.listener, SHUT_RDWR); /* ends accept */
    pthread_join(c.thread, NULL);
    close(c.listener);
    return c;
}

static void a_connection_is_used_again_or_not(void **state) {
    (void)state;
    struct counter kept = ask_ten_times(false), closed = ask_ten_times(true);
    assert_int_equal(kept.connections, 1);
    assert_int_equal(kept.requests, 10);
    assert_int_equal(closed.connections, 10);
    assert_int_equal(closed.requests, 10);
}

/* --- ended by others --- */

struct waiter {
    struct pair *p;
    pthread_t thread;
    sem_t ended; /* once a wait */
    _Atomic int flag;
    bool last; /* what the last wait said */
    struct fetch_answer answer;
};

static void start(struct waiter *w, struct pair *p, void *(*run)(void *)) {
    *w = (struct waiter){.p = p};
    sem_init(&w->ended, 0, 0);
    assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
}

static void await_end(struct waiter *w) {
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += PATIENCE_MS / 1000;
    if (sem_timedwait(&w->ended, &limit) != 0) fail_msg("a wait that never ended");
}

static void finish(struct waiter *w) {
    pthread_join(w->thread, NULL);
    sem_destroy(&w->ended);
}

/* As a user does: looks, waits, looks again. */
static void *wait_for_flags(void *arg) {
    struct waiter *w = arg;
    for (int seen = 0; (w->last = fetch_blocking_wait(w->p->client, clock_mono_us() + NEVER_MS * 1000L));)
        for (; seen < atomic_load(&w->flag); seen++)
            sem_post(&w->ended);
    sem_post(&w->ended);
    return NULL;
}

static void a_wake_is_never_missed(void **state) {
    struct waiter w;
    start(&w, *state, wait_for_flags);
    for (int i = 0; i < 1000; i++) {
        atomic_fetch_add(&w.flag, 1);
        fetch_blocking_wake(w.p->client);
        await_end(&w);
    }
    fetch_blocking_stop(w.p->client);
    await_end(&w);
    finish(&w);
    assert_false(w.last);
}

static void a_wait_ends_when_it_is_time(void **state) {
    struct pair *p = *state;
    int64_t until_us = clock_mono_us() + 50 * 1000;
    while (clock_mono_us() < until_us)
        assert_true(fetch_blocking_wait(p->client, until_us));
    assert_true(fetch_blocking_wait(p->client, until_us - 1000));
}

static void *ask(void *arg) {
    struct waiter *w = arg;
    w->answer = get(w->p, NEVER_MS);
    sem_post(&w->ended);
    return NULL;
}

static void await_asked(struct pair *p) {
    for (int64_t start_us = clock_mono_us(); fake_asked(p->server) == 0;) {
        if (clock_mono_us() - start_us > PATIENCE_MS * 1000L) fail_msg("was never asked");
        nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
    }
}

static void a_stop_ends_a_request_and_all_later_ones(void **state) {
    struct pair *p = *state;
    struct waiter w;
    FAKE_TELL(p->server, FAKE_HANG);
    start(&w, p, ask);
    await_asked(p);
    fetch_blocking_wake(p->client); /* is nothing to a request */
    fetch_blocking_stop(p->client);
    await_end(&w);
    finish(&w);
    assert_int_equal(w.answer.st, ST_STOPPED);
    assert_int_equal(get(p, NEVER_MS).st, ST_STOPPED);
    assert_false(fetch_blocking_wait(p->client, clock_mono_us() + NEVER_MS * 1000L));
    assert_int_equal(fake_asked(p->server), 1);
}

/* A slow answer, and wakes all the time: they do not end the request. */
static void a_wake_does_not_end_a_request(void **state) {
    struct pair *p = *state;
    struct waiter w;
    FAKE_TELL(p->server, FAKE_HANG);
    start(&w, p, ask);
    await_asked(p);
    for (int i = 0; i < 100; i++)
        fetch_blocking_wake(p->client);
    fake_write(p->server->hanging[0], HEAD("200 OK") "late");
    shutdown(p->server->hanging[0], SHUT_WR);
    await_end(&w);
    finish(&w);
    assert_int_equal(w.answer.st, ST_OK);
    assert_string_equal(w.answer.body.p, "late");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(asks_and_answers),
        TEST(tells_what_went_wrong),
        cmocka_unit_test(a_connection_is_used_again_or_not),
        TEST(a_wake_is_never_missed),
        TEST(a_wait_ends_when_it_is_time),
        TEST(a_stop_ends_a_request_and_all_later_ones),
        TEST(a_wake_does_not_end_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
