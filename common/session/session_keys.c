/* The current keys, and the thread that renews them from a URL.
 *
 * Request threads read `version`, and only when it has changed (a few times a day) take the new set under the
 * mutex. An unknown kid sets a flag and, if it was not set, wakes the thread. Neither waits. */
#include <pthread.h>
#include <stdlib.h>

#include "backoff.h"
#include "clock.h"
#include "fetch_blocking.h"
#include "log.h"
#include "mem.h"
#include "priv/session_priv.h"
#include "thread.h"

enum {
    MAX_JWKS = 64 * 1024,
    CONNECT_TIMEOUT_MS = 2000,
    ANSWER_TIMEOUT_MS = 5000,
    FIRST_RETRY_MS = 50, /* services start together, so the keys can soon be fetched */
    LAST_RETRY_MS = 5000,
    MISSING_PAUSE_MS = 1000, /* made-up kids cost one request a second at most */
};

struct session_keys {
    _Atomic uint64_t version; /* how many sets there have been; 0: none yet */
    pthread_mutex_t lock;     /* guards current and problem */
    struct keyset *current;
    struct why problem; /* of the last fetch; empty: it went well */

    /* from a URL */
    char *url;
    int refresh_ms;
    struct fetch_blocking *client; /* the thread's; others wake and stop it */
    pthread_t thread;
    atomic_bool wanted; /* a kid was seen that current does not have */
};

/* --- taking keys --- */

uint64_t session_keys_version(const struct session_keys *keys) {
    return atomic_load_explicit(&keys->version, memory_order_acquire);
}

struct keyset *session_keys_take(struct session_keys *keys, uint64_t *version) {
    pthread_mutex_lock(&keys->lock);
    struct keyset *set = keyset_ref(keys->current);
    *version = session_keys_version(keys);
    pthread_mutex_unlock(&keys->lock);
    return set;
}

bool session_keys_ready(struct session_keys *keys, struct why *w) {
    pthread_mutex_lock(&keys->lock);
    bool ready = keys->current != NULL;
    if (!ready) why(w, ST_AGAIN, "no session keys yet: %s", keys->problem.text);
    pthread_mutex_unlock(&keys->lock);
    return ready;
}

void session_keys_missing(struct session_keys *keys) {
    if (keys->url == NULL) return;
    if (!atomic_exchange(&keys->wanted, true)) fetch_blocking_wake(keys->client);
}

/* --- renewing them --- */

/* Takes set over. A set of the same keys is dropped, so that the caches keep what they verified. */
static void put_set(struct session_keys *keys, struct keyset *set) {
    pthread_mutex_lock(&keys->lock);
    struct keyset *old = set;
    keys->problem.text[0] = '\0';
    if (!keyset_same(keys->current, set)) {
        old = keys->current;
        keys->current = set;
        atomic_fetch_add_explicit(&keys->version, 1, memory_order_release);
    }
    pthread_mutex_unlock(&keys->lock);
    if (old != set) log_info("session", "%d key%s from %s", set->n, set->n == 1 ? "" : "s", keys->url);
    keyset_unref(old);
}

/* Logs a problem once, not at each try. */
static void put_problem(struct session_keys *keys, const struct why *problem) {
    pthread_mutex_lock(&keys->lock);
    bool news = log_news(&keys->problem, problem);
    pthread_mutex_unlock(&keys->lock);
    if (news) log_warn("session", "no new keys: %s", problem->text);
}

static enum status renew(struct session_keys *keys) {
    struct why w = {0};
    struct keyset *set = NULL;
    struct fetch_answer answer = fetch_blocking_perform(
        keys->client,
        &(struct fetch_request){.method = "GET", .url = keys->url, .timeout_ms = ANSWER_TIMEOUT_MS});
    if (answer.st == ST_STOPPED) return ST_STOPPED;
    if (answer.st != ST_OK)
        why(&w, ST_LOST, "%s: %s", keys->url, answer.why);
    else if (answer.code != 200)
        why(&w, ST_LOST, "%s answered %d", keys->url, answer.code);
    else
        set = keyset_parse(answer.body, &w);
    if (set == NULL) {
        put_problem(keys, &w);
        return ST_LOST;
    }
    put_set(keys, set);
    return ST_OK;
}

/* Waits until pause_ms after began_us; less when an unknown kid is seen. false: it is to stop. */
static bool wait_turn(struct session_keys *keys, int64_t began_us, int pause_ms) {
    for (;;) {
        bool sooner = atomic_load(&keys->wanted) && pause_ms > MISSING_PAUSE_MS;
        int64_t due_us = began_us + (sooner ? MISSING_PAUSE_MS : pause_ms) * INT64_C(1000);
        if (!fetch_blocking_wait(keys->client, due_us)) return false;
        if (clock_ms_until(due_us) == 0) return true;
    }
}

static void *run(void *arg) {
    struct session_keys *keys = arg;
    struct backoff retry = {.first_ms = FIRST_RETRY_MS, .most_ms = LAST_RETRY_MS};
    int64_t began_us;
    int pause_ms;
    do {
        began_us = clock_mono_us();
        atomic_store(&keys->wanted, false);
        bool renewed = renew(keys) == ST_OK;
        if (renewed) backoff_reset(&retry);
        pause_ms = renewed ? keys->refresh_ms : backoff_fail(&retry);
    } while (wait_turn(keys, began_us, pause_ms));
    return NULL;
}

/* --- its life --- */

static struct session_keys *new_keys(void) {
    struct session_keys *keys = mem_alloc(sizeof *keys);
    pthread_mutex_init(&keys->lock, NULL);
    return keys;
}

struct session_keys *session_keys_fixed(struct keyset *set) {
    struct session_keys *keys = new_keys();
    keys->current = set;
    atomic_init(&keys->version, 1);
    return keys;
}

struct session_keys *session_keys_from_url(const char *url, int refresh_ms, const struct fetch_tls *tls) {
    struct session_keys *keys = new_keys();
    keys->url = mem_strdup(url);
    keys->refresh_ms = refresh_ms;
    why(&keys->problem, ST_AGAIN, "asking %s", url);
    keys->client = fetch_blocking_new(&(struct fetch_options){
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .max_answer = MAX_JWKS,
        .tls = tls == NULL ? (struct fetch_tls){0} : *tls,
        .no_reuse = true, /* an idle connection would delay the other side's end */
    });
    keys->thread = thread_start("session keys", run, keys);
    return keys;
}

void session_keys_free(struct session_keys *keys) {
    if (keys == NULL) return;
    if (keys->url != NULL) {
        fetch_blocking_stop(keys->client);
        pthread_join(keys->thread, NULL);
        fetch_blocking_free(keys->client);
        free(keys->url);
    }
    keyset_unref(keys->current);
    pthread_mutex_destroy(&keys->lock);
    free(keys);
}
