/* db: a server given by name is looked up without holding up the loop. getaddrinfo is ours here, and answers
 * when told. */
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>

#include "db_fixture.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int asked, may_answer, answering, answered;
static const char *answer; /* the address; NULL: no such host */
static const char *dead;   /* an address before it; may be NULL */

/* libpq's own look-ups of plain addresses go through. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node == NULL || strcmp(node, "database.test") != 0) return real(node, service, hints, found);
    pthread_mutex_lock(&mutex);
    asked++;
    while (may_answer == answering)
        pthread_cond_wait(&changed, &mutex);
    answering++;
    const char *text = answer, *first = dead;
    pthread_mutex_unlock(&mutex);
    int end = text == NULL ? EAI_NONAME : real(text, service, hints, found);
    if (end == 0 && first != NULL) { /* before it, one where nobody listens */
        struct addrinfo *rest = *found;
        end = real(first, service, hints, found);
        (*found)->ai_next = rest;
    }
    pthread_mutex_lock(&mutex);
    answered++;
    pthread_mutex_unlock(&mutex);
    return end;
}

static int read_count(const int *n) {
    pthread_mutex_lock(&mutex);
    int now = *n;
    pthread_mutex_unlock(&mutex);
    return now;
}

static void let_answer(const char *text, int times) {
    pthread_mutex_lock(&mutex);
    answer = text;
    may_answer += times;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static const struct sql *const statements[] = {&fx_echo, &fx_gated_write, NULL};

static void open_by_name(void) {
    static char url[600];
    const char *host = strstr(fx_url, "127.0.0.1");
    assert_non_null(host);
    snprintf(url, sizeof url, "%.*sdatabase.test%s", (int)(host - fx_url), fx_url,
             host + strlen("127.0.0.1"));
    struct db_options options = fx_options(statements);
    options.url = url;
    asked = may_answer = answering = answered = 0;
    dead = NULL;
    fx_db = db_open(&options, fx_loop);
}

/* While nobody answers, the loop turns, and what is added is refused at once. */
static void the_loop_does_not_wait_for_a_name(void **state) {
    (void)state;
    open_by_name();
    fx_until(read_count(&asked) == 2);
    struct item item = {.n = 4};
    int64_t begin = clock_mono_us();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(fx_add(&fx_echo, &item), ST_LOST);
        fx_turn();
    }
    assert_in_range(clock_mono_us() - begin, 0, 2000000);
    let_answer("127.0.0.1", 2);
    fx_until(db_ready(fx_db));
    fx_add(&fx_echo, &item);
    fx_until(item.answers == 1);
    assert_int_equal(item.got, 4);
}

static void all_addresses_of_a_name_are_tried(void **state) {
    (void)state;
    open_by_name();
    fx_until(read_count(&asked) == 2);
    dead = "127.0.0.2";
    let_answer("127.0.0.1", 2);
    fx_until(db_ready(fx_db));
}

static void an_unknown_name_is_tried_again(void **state) {
    (void)state;
    open_by_name();
    let_answer(NULL, 4);
    fx_until(read_count(&asked) >= 5); /* asked again after each failure */
    assert_false(db_ready(fx_db));
    let_answer("127.0.0.1", 2);
    fx_until(db_ready(fx_db));
}

/* The thread that asks outlives the db, and finds nothing of it. */
static void free_while_looking_up(void **state) {
    (void)state;
    open_by_name();
    fx_until(read_count(&asked) == 2);
    db_free(fx_db);
    fx_db = NULL;
    let_answer("127.0.0.1", 2);
    while (read_count(&answered) < 2)
        h2o_compat_run(fx_loop, 1);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_loop_does_not_wait_for_a_name),
        TEST(all_addresses_of_a_name_are_tried),
        TEST(an_unknown_name_is_tried_again),
        TEST(free_while_looking_up),
    };
    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
