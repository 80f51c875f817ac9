/* Keys from a URL: fetched, renewed, taken up by running threads. The other side is a small HTTP server in
 * this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "buf.h"
#include "clock.h"
#include "mem.h"
#include "session_forge.h"

static EVP_PKEY *key_a, *key_b;
static char *only_a, *only_b, *both; /* key sets */

/* --- the server: one answer at a time, changed by the test --- */

struct server {
    int listener, port;
    pthread_t thread;
    pthread_mutex_t lock;
    int status;
    char *body;
    bool silent; /* takes the request and says nothing */
    int requests;
    char url[64];
};

static void answer(struct server *s, int connection) {
    char request[2048], *reply = NULL;
    if (read(connection, request, sizeof request) <= 0) return;
    pthread_mutex_lock(&s->lock);
    s->requests++;
    if (!s->silent)
        reply = text("HTTP/1.1 %d X\r\ncontent-length: %zu\r\n\r\n%s", s->status, strlen(s->body), s->body);
    pthread_mutex_unlock(&s->lock);
    if (reply == NULL) {
        struct pollfd gone = {.fd = connection, .events = POLLIN};
        poll(&gone, 1, 10000);
        return;
    }
    if (write(connection, reply, strlen(reply)) < 0) fail();
    free(reply);
}

static void *serve(void *arg) {
    struct server *s = arg;
    for (int connection; (connection = accept(s->listener, NULL, NULL)) >= 0;) {
        answer(s, connection);
        close(connection);
    }
    return NULL;
}

static void server_listen(struct server *s) {
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)s->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    int on = 1;
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &n), 0);
    s->port = ntohs(at.sin_port);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/.well-known/jwks.json", s->port);
}

static void server_accept(struct server *s) {
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_say(struct server *s, int status, const char *body) {
    pthread_mutex_lock(&s->lock);
    free(s->body);
    s->body = mem_strdup(body);
    s->status = status;
    s->silent = false;
    pthread_mutex_unlock(&s->lock);
}

static int server_requests(struct server *s) {
    pthread_mutex_lock(&s->lock);
    int n = s->requests;
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* Bound and not yet listening: connecting is refused until server_accept. */
static struct server *server_new(const char *body) {
    struct server *s = mem_alloc(sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    server_listen(s);
    server_say(s, 200, body);
    return s;
}

static void server_free(struct server *s) {
    shutdown(s->listener, SHUT_RDWR); /* ends accept */
    pthread_join(s->thread, NULL);
    close(s->listener);
    pthread_mutex_destroy(&s->lock);
    free(s->body);
    free(s);
}

/* --- what most tests need --- */

enum { NEVER_MS = 3600 * 1000, SOON_MS = 20, PATIENCE_US = 20 * 1000 * 1000 };

static void pause_ms(int ms) {
    poll(NULL, 0, ms);
}

#define await(condition)                                                                                     \
    do {                                                                                                     \
        int64_t give_up = clock_mono_us() + PATIENCE_US;                                                     \
        while (!(condition)) {                                                                               \
            if (clock_mono_us() > give_up) fail_msg("never came: %s", #condition);                           \
            pause_ms(1);                                                                                     \
        }                                                                                                    \
    } while (0)

static char *token_by(EVP_PKEY *pkey) {
    char *kid = kid_of(pkey), *header = text("{\"alg\":\"RS256\",\"kid\":\"%s\"}", kid);
    long now = (long)(clock_wall_us() / 1000000);
    char *claims =
        text("{\"iss\":\"onsale\",\"aud\":\"onsale\",\"sub\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
             "\"email\":\"a@b.c\",\"iat\":%ld,\"exp\":%ld}",
             now, now + 600);
    char *token = forge_rs256(pkey, header, claims);
    free(kid);
    free(header);
    free(claims);
    return token;
}

static bool accepts(struct session_cache *cache, const char *token) {
    struct identity id;
    return session_verify(cache, str_of(token), &id, NULL) == ST_OK;
}

static char *token_a, *token_b;

static int make_keys(void **state) {
    (void)state;
    key_a = EVP_RSA_gen(2048);
    key_b = EVP_RSA_gen(2048);
    only_a = jwks_of(key_a, NULL);
    only_b = jwks_of(key_b, NULL);
    both = jwks_of(key_a, key_b);
    token_a = token_by(key_a);
    token_b = token_by(key_b);
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    char *all[] = {only_a, only_b, both, token_a, token_b};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    EVP_PKEY_free(key_a);
    EVP_PKEY_free(key_b);
    return 0;
}

/* --- tests --- */

static void test_not_ready_until_the_keys_are_there(void **state) {
    (void)state;
    struct why w = {0};
    struct server *server = server_new(only_a);
    struct session_keys *keys = session_keys_from_url(server->url, NEVER_MS, NULL);
    struct session_cache *cache = session_cache_new(keys);
    await(!session_keys_ready(keys, &w) && strstr(w.text, "connect") != NULL); /* says what is wrong */
    assert_false(accepts(cache, token_a));
    server_accept(server);
    await(session_keys_ready(keys, NULL));
    assert_true(accepts(cache, token_a));
    session_cache_free(cache);
    session_keys_free(keys);
    server_free(server);
}

static void test_an_unknown_kid_brings_the_new_key(void **state) {
    (void)state;
    struct server *server = server_new(only_a);
    server_accept(server);
    struct session_keys *keys = session_keys_from_url(server->url, NEVER_MS, NULL);
    struct session_cache *cache = session_cache_new(keys);
    await(session_keys_ready(keys, NULL));
    assert_true(accepts(cache, token_a));
    assert_false(accepts(cache, token_b)); /* not there either: asked again, in vain */
    await(server_requests(server) == 2);
    server_say(server, 200, both);
    await(accepts(cache, token_b));
    assert_true(accepts(cache, token_a));
    session_cache_free(cache);
    session_keys_free(keys);
    server_free(server);
}

static void test_made_up_kids_cost_a_request_a_second_at_most(void **state) {
    (void)state;
    struct server *server = server_new(only_a);
    server_accept(server);
    struct session_keys *keys = session_keys_from_url(server->url, NEVER_MS, NULL);
    struct session_cache *cache = session_cache_new(keys);
    await(session_keys_ready(keys, NULL));
    int64_t began = clock_mono_us();
    while (server_requests(server) < 3) {
        assert_false(accepts(cache, token_b));
        assert_true(clock_mono_us() - began < PATIENCE_US);
    }
    assert_true(clock_mono_us() - began > 1900 * 1000); /* two more requests: two seconds */
    session_cache_free(cache);
    session_keys_free(keys);
    server_free(server);
}

static void test_a_forged_signature_asks_for_nothing(void **state) {
    (void)state;
    struct server *server = server_new(only_a);
    server_accept(server);
    struct session_keys *keys = session_keys_from_url(server->url, NEVER_MS, NULL);
    struct session_cache *cache = session_cache_new(keys);
    await(session_keys_ready(keys, NULL));
    char *forged = mem_strdup(token_a);
    forged[strlen(forged) - 10] ^= 1;
    int64_t until = clock_mono_us() + 1200 * 1000;
    while (clock_mono_us() < until)
        assert_false(accepts(cache, forged));
    assert_int_equal(server_requests(server), 1);
    free(forged);
    session_cache_free(cache);
    session_keys_free(keys);
    server_free(server);
}

static void test_a_removed_key_ends_its_sessions(void **state) {
    (void)state;
    struct server *server = server_new(both);
    server_accept(server);
    struct session_keys *keys = session_keys_from_url(server->url, SOON_MS, NULL);
    struct session_cache *cache = session_cache_new(keys);
    await(session_keys_ready(keys, NULL));
    assert_true(accepts(cache, token_a));
    assert_true(accepts(cache, token_b));
    server_say(server, 200, only_b);
    await(!accepts(cache, token_a)); /* although it was kept */
    assert_true(accepts(cache, token_b));
    session_cache_free(cache);
    session_keys_free(keys);
    server_free(server);
}

static void test_the_last_good_set_stays(void **state) {
    (void)state;
    struct server *server = server_new(only_a);
    server_accept(server);
    struct session_keys *keys = session_keys_from_url(server->url, SOON_MS, NULL);
    struct session_cache *cache = session_cache_new(keys);
    await(session_keys_ready(keys, NULL));
    struct buf endless = {0};
    while (endless.len < 200 * 1024)
        buf_add(&endless, "[[[[[[[[", 8);
    buf_add(&endless, "", 1);
    const struct {
        int status;
        const char *body;
    } bad[] = {{500, only_b},          {404, "{}"},
               {302, only_b},          {200, "<html>"},
               {200, "{\"keys\":[]}"}, {200, (char *)endless.data}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        server_say(server, bad[i].status, bad[i].body);
        int seen = server_requests(server);
        await(server_requests(server) >= seen + 2); /* so one of these answers has been dealt with */
        assert_true(accepts(cache, token_a));
        assert_false(accepts(cache, token_b));
        assert_true(session_keys_ready(keys, NULL));
        server_say(server, 200, only_a); /* a good one between, so that the back-off starts anew */
        seen = server_requests(server);
        await(server_requests(server) >= seen + 2);
    }
    buf_free(&endless);
    session_cache_free(cache);
    session_keys_free(keys);
    server_free(server);
}

static void test_stops_at_once_while_the_other_side_is_silent(void **state) {
    (void)state;
    struct server *server = server_new(only_a);
    server->silent = true;
    server_accept(server);
    struct session_keys *keys = session_keys_from_url(server->url, NEVER_MS, NULL);
    await(server_requests(server) == 1);
    int64_t began = clock_mono_us();
    session_keys_free(keys);
    assert_true(clock_mono_us() - began < 1000 * 1000); /* the time-out is five seconds */
    server_free(server);
}

/* --- threads that verify while the keys change under them --- */

struct verifier {
    struct session_keys *keys;
    atomic_bool *stop;
    pthread_t thread;
    int accepted_a, accepted_b, refused;
};

static void *verify_all_the_time(void *arg) {
    struct verifier *v = arg;
    struct session_cache *cache = session_cache_new(v->keys);
    while (!atomic_load(v->stop)) {
        if (accepts(cache, token_a))
            v->accepted_a++;
        else
            v->refused++;
        if (accepts(cache, token_b))
            v->accepted_b++;
        else
            v->refused++;
    }
    session_cache_free(cache);
    return NULL;
}

static void test_threads_follow_the_keys(void **state) {
    (void)state;
    enum { THREADS = 3, ROUNDS = 20 };
    atomic_bool stop = false;
    struct server *server = server_new(only_a);
    server_accept(server);
    struct session_keys *keys = session_keys_from_url(server->url, 2, NULL);
    await(session_keys_ready(keys, NULL));
    struct verifier threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        threads[i] = (struct verifier){.keys = keys, .stop = &stop};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, verify_all_the_time, &threads[i]), 0);
    }
    uint64_t last = session_keys_version(keys);
    for (int i = 0; i < ROUNDS; i++) {
        const char *const sets[] = {only_b, both, only_a};
        server_say(server, 200, sets[i % 3]);
        await(session_keys_version(keys) > last);
        last = session_keys_version(keys);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i].thread, NULL);
        assert_true(threads[i].accepted_a > 0 && threads[i].accepted_b > 0 && threads[i].refused > 0);
    }
    session_keys_free(keys);
    server_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_ready_until_the_keys_are_there),
        cmocka_unit_test(test_an_unknown_kid_brings_the_new_key),
        cmocka_unit_test(test_made_up_kids_cost_a_request_a_second_at_most),
        cmocka_unit_test(test_a_forged_signature_asks_for_nothing),
        cmocka_unit_test(test_a_removed_key_ends_its_sessions),
        cmocka_unit_test(test_the_last_good_set_stays),
        cmocka_unit_test(test_stops_at_once_while_the_other_side_is_silent),
        cmocka_unit_test(test_threads_follow_the_keys),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
