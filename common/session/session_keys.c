/* The current keys, and the thread that renews them from a URL.
 *
 * Request threads do not lock: they read `version` and, only when it has moved, take the new set under the
 * mutex (a few times a day). An unknown kid sets a flag and, if it was not set, wakes the thread; neither
 * waits. */
#include <curl/curl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "priv/session_priv.h"
#include "thread.h"

enum {
    MAX_JWKS = 64 * 1024,
    CONNECT_TIMEOUT_MS = 2000,
    ANSWER_TIMEOUT_MS = 5000,
    FIRST_RETRY_MS = 50, /* services start together: auth is there in a moment */
    LAST_RETRY_MS = 5000,
    MISSING_PAUSE_MS = 1000, /* made-up kids cost auth one request a second at most */
};

struct session_keys {
    _Atomic uint64_t version; /* how many sets there have been; 0: none yet */
    pthread_mutex_t lock;     /* guards current and problem */
    struct keyset *current;
    struct why problem; /* of the last fetch; empty: it went well */

    /* from a URL */
    char *url;
    int refresh_ms;
    CURLM *multi;
    CURL *easy;
    struct buf answer;
    pthread_t thread;
    atomic_bool wanted, stopping;
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
    if (!atomic_exchange(&keys->wanted, true)) curl_multi_wakeup(keys->multi);
}

/* --- renewing them --- */

/* Takes set over. A set that says the same is dropped, so that the caches keep what they verified. */
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

/* Says a problem once, not at each try. */
static void put_problem(struct session_keys *keys, const struct why *problem) {
    pthread_mutex_lock(&keys->lock);
    bool news = strcmp(keys->problem.text, problem->text) != 0;
    keys->problem = *problem;
    pthread_mutex_unlock(&keys->lock);
    if (news) log_warn("session", "no new keys: %s", problem->text);
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg) {
    struct buf *answer = arg;
    size_t n = size * count;
    if (answer->len + n > MAX_JWKS) return 0; /* ends the transfer */
    buf_add(answer, bytes, n);
    return n;
}

/* Drives the one transfer to its end, or leaves it when the thread is to stop. */
static CURLcode transfer(struct session_keys *keys) {
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    int running = 1, left;
    keys->answer.len = 0;
    curl_multi_add_handle(keys->multi, keys->easy);
    while (!atomic_load(&keys->stopping)) {
        curl_multi_perform(keys->multi, &running);
        if (running == 0) break;
        curl_multi_poll(keys->multi, NULL, 0, ANSWER_TIMEOUT_MS, NULL);
    }
    for (CURLMsg *msg; (msg = curl_multi_info_read(keys->multi, &left)) != NULL;)
        result = msg->data.result;
    curl_multi_remove_handle(keys->multi, keys->easy);
    return result;
}

static enum status fetch(struct session_keys *keys) {
    struct why w = {0};
    long code = 0;
    struct keyset *set = NULL;
    CURLcode result = transfer(keys);
    if (atomic_load(&keys->stopping)) return ST_STOPPED;
    if (result == CURLE_OK) curl_easy_getinfo(keys->easy, CURLINFO_RESPONSE_CODE, &code);
    if (result != CURLE_OK)
        why(&w, ST_LOST, "%s: %s", keys->url, curl_easy_strerror(result));
    else if (code != 200)
        why(&w, ST_LOST, "%s answered %ld", keys->url, code);
    else
        set = keyset_parse((struct str){(char *)keys->answer.data, keys->answer.len}, &w);
    if (set == NULL) {
        put_problem(keys, &w);
        return ST_LOST;
    }
    put_set(keys, set);
    return ST_OK;
}

/* Until `pause` has passed since `began`, or an unknown kid shortens it, or the end. */
static void wait_turn(struct session_keys *keys, int64_t began, int pause) {
    while (!atomic_load(&keys->stopping)) {
        int due = atomic_load(&keys->wanted) && pause > MISSING_PAUSE_MS ? MISSING_PAUSE_MS : pause;
        int64_t left = due - (clock_mono_us() - began) / 1000;
        if (left <= 0) return;
        curl_multi_poll(keys->multi, NULL, 0, (int)left, NULL);
    }
}

static void *renew(void *arg) {
    struct session_keys *keys = arg;
    int retry = FIRST_RETRY_MS;
    while (!atomic_load(&keys->stopping)) {
        int64_t began = clock_mono_us();
        atomic_store(&keys->wanted, false);
        if (fetch(keys) == ST_OK) {
            retry = FIRST_RETRY_MS;
            wait_turn(keys, began, keys->refresh_ms);
        } else {
            wait_turn(keys, began, retry);
            retry = 2 * retry < LAST_RETRY_MS ? 2 * retry : LAST_RETRY_MS;
        }
    }
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

static void prepare_easy(struct session_keys *keys) {
    curl_easy_setopt(keys->easy, CURLOPT_URL, keys->url);
    curl_easy_setopt(keys->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(keys->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(keys->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(keys->easy, CURLOPT_TIMEOUT_MS, (long)ANSWER_TIMEOUT_MS);
    curl_easy_setopt(keys->easy, CURLOPT_FORBID_REUSE,
                     1L); /* an idle connection would hold up auth's drain */
    curl_easy_setopt(keys->easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(keys->easy, CURLOPT_WRITEDATA, &keys->answer);
}

struct session_keys *session_keys_from_url(const char *url, int refresh_ms) {
    struct session_keys *keys = new_keys();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    keys->url = mem_strdup(url);
    keys->refresh_ms = refresh_ms;
    why(&keys->problem, ST_AGAIN, "asking %s", url);
    keys->multi = curl_multi_init();
    keys->easy = curl_easy_init();
    if (keys->multi == NULL || keys->easy == NULL) abort(); /* out of memory */
    prepare_easy(keys);
    keys->thread = thread_start("session keys", renew, keys);
    return keys;
}

void session_keys_free(struct session_keys *keys) {
    if (keys == NULL) return;
    if (keys->url != NULL) {
        atomic_store(&keys->stopping, true);
        curl_multi_wakeup(keys->multi);
        pthread_join(keys->thread, NULL);
        curl_easy_cleanup(keys->easy);
        curl_multi_cleanup(keys->multi);
        buf_free(&keys->answer);
        free(keys->url);
    }
    keyset_unref(keys->current);
    pthread_mutex_destroy(&keys->lock);
    free(keys);
}
