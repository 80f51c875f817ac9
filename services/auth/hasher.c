#include "hasher.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"
#include "metrics.h"
#include "thread.h"

enum {
    HASH_US = 100000, /* about what one takes, as long as none was made */
    NICE = 5,         /* a request that needs no hash does not wait for one that does */
    DUMMY_HASH = 32,
    RESERVE = 4, /* this part of the queue is for known devices alone */
};

struct hasher {
    struct hasher_options options;
    char dummy[crypto_pwhash_STRBYTES];

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;
    struct hash_queue {
        struct hash_job *first, **last;
    } known, others; /* from devices where somebody was signed in; first of all these */
    int waiting;
    bool stopping;

    _Atomic int64_t checked, made, refused;
    _Atomic int64_t hash_us; /* what a job takes, on average of late */
    pthread_t threads[];
};

/* --- the work --- */

/* Nobody's hash, under today's parameters: checking against it takes what checking against anybody's takes.
 */
static void make_dummy(const struct hasher_options *o, char out[crypto_pwhash_STRBYTES]) {
    uint8_t bytes[DUMMY_HASH];
    char salt[sodium_base64_ENCODED_LEN(crypto_pwhash_SALTBYTES, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)],
        hash[sodium_base64_ENCODED_LEN(DUMMY_HASH, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(salt, sizeof salt, bytes, crypto_pwhash_SALTBYTES,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    sodium_bin2base64(hash, sizeof hash, bytes, sizeof bytes, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    snprintf(out, crypto_pwhash_STRBYTES, "$argon2id$v=19$m=%u,t=%u,p=1$%s$%s", (unsigned)(o->memory / 1024),
             o->passes, salt, hash);
}

static void make_hash(struct hasher *hasher, struct hash_job *job, struct str password) {
    atomic_fetch_add(&hasher->made, 1);
    if (crypto_pwhash_str(job->hash, password.p, password.n, hasher->options.passes,
                          hasher->options.memory) != 0)
        abort(); /* out of memory */
}

static bool fits(struct hasher *hasher, const char *known, struct str password) {
    atomic_fetch_add(&hasher->checked, 1);
    errno = 0;
    bool right = crypto_pwhash_str_verify(known, password.p, password.n) == 0;
    if (!right && errno == ENOMEM) abort(); /* rather than call a right password wrong */
    return right;
}

static void check(struct hasher *hasher, struct hash_job *job) {
    char known[crypto_pwhash_STRBYTES];
    snprintf(known, sizeof known, "%.*s", (int)job->known.n, job->known.p);
    if (job->known.n == 0) memcpy(known, hasher->dummy, sizeof known);
    bool right = fits(hasher, known, job->password);
    bool right_as_typed = !right && job->as_typed.n > 0 && fits(hasher, known, job->as_typed);
    job->right = (right || right_as_typed) && job->known.n > 0;
    if (job->right && job->fresh.n == 0 &&
        (right_as_typed ||
         crypto_pwhash_str_needs_rehash(known, hasher->options.passes, hasher->options.memory) == 1))
        job->fresh = job->password;
}

static void sign(struct hasher *hasher, struct hash_job *job) {
    static const struct uuid none;
    if (uuid_eq(&job->session.session, &none)) job->session.session = uuid_v7();
    job->session.issued_s = clock_wall_us() / 1000000;
    job->session.expires_s = job->session.issued_s + job->session_s;
    char *token = session_sign(hasher->options.signer, &job->session);
    if (token == NULL) abort(); /* out of memory: the e-mail was looked at when it came in */
    snprintf(job->token, sizeof job->token, "%s", token);
    free(token);
}

static void do_job(struct hasher *hasher, struct hash_job *job) {
    job->right = true;
    if (job->check) check(hasher, job);
    if (!job->right || (job->also != NULL && !job->also(job->also_arg))) return;
    if (job->fresh.n > 0) make_hash(hasher, job, job->fresh);
    if (job->session.email.n > 0) sign(hasher, job);
}

/* --- the threads --- */

static struct hash_job *take(struct hasher *hasher) {
    pthread_mutex_lock(&hasher->lock);
    while (hasher->waiting == 0 && !hasher->stopping)
        pthread_cond_wait(&hasher->work, &hasher->lock);
    struct hash_queue *queue = hasher->known.first != NULL ? &hasher->known : &hasher->others;
    struct hash_job *job = hasher->stopping ? NULL : queue->first;
    if (job != NULL) {
        queue->first = job->next;
        if (queue->first == NULL) queue->last = &queue->first;
        hasher->waiting--;
    }
    pthread_mutex_unlock(&hasher->lock);
    return job;
}

/* A moving average. Two threads at once may lose one of their figures. */
static void note_time(struct hasher *hasher, int64_t us) {
    int64_t before = atomic_load(&hasher->hash_us);
    atomic_store(&hasher->hash_us, before + (us - before) / 8);
}

static void *run(void *arg) {
    struct hasher *hasher = arg;
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* Linux: of this thread alone */
    for (struct hash_job *job; (job = take(hasher)) != NULL;) {
        int64_t began_us = clock_mono_us();
        do_job(hasher, job);
        note_time(hasher, clock_mono_us() - began_us);
        req_resume(job->rq, job->then, job);
    }
    return NULL;
}

enum status hasher_give(struct hasher *hasher, struct hash_job *job, struct req *rq,
                        void (*then)(struct req *rq, void *job)) {
    job->rq = rq;
    job->then = then;
    job->next = NULL;
    pthread_mutex_lock(&hasher->lock);
    int most = hasher->options.queue;
    bool room = hasher->waiting < (job->known_device ? most : most - most / RESERVE);
    if (room) {
        struct hash_queue *queue = job->known_device ? &hasher->known : &hasher->others;
        req_hold(rq);
        *queue->last = job;
        queue->last = &job->next;
        hasher->waiting++;
        pthread_cond_signal(&hasher->work);
    }
    pthread_mutex_unlock(&hasher->lock);
    if (!room) atomic_fetch_add(&hasher->refused, 1);
    return room ? ST_OK : ST_FULL;
}

int hasher_patience(const struct hasher *hasher) {
    const struct hasher_options *o = &hasher->options;
    return 1 + (int)(o->queue * atomic_load(&hasher->hash_us) / o->threads / 1000000);
}

/* --- its life --- */

static void write_counter(struct buf *out, const char *name, const char *type, const char *help,
                          int64_t value) {
    metric_header(out, name, type, help);
    buf_printf(out, "%s %lld\n", name, (long long)value);
}

static void write_metrics(struct buf *out, void *arg) {
    struct hasher *hasher = arg;
    pthread_mutex_lock(&hasher->lock);
    int waiting = hasher->waiting;
    pthread_mutex_unlock(&hasher->lock);
    write_counter(out, "onsale_auth_passwords_checked_total", "counter",
                  "Passwords checked, right or wrong or nobody's", hasher->checked);
    write_counter(out, "onsale_auth_passwords_hashed_total", "counter", "Password hashes made", hasher->made);
    write_counter(out, "onsale_auth_hasher_refused_total", "counter",
                  "Requests refused because the hash queue was full", hasher->refused);
    write_counter(out, "onsale_auth_hasher_waiting", "gauge", "Jobs in the hash queue", waiting);
}

struct hasher *hasher_start(const struct hasher_options *options) {
    int threads = options->threads;
    struct hasher *hasher = mem_alloc(sizeof *hasher + (size_t)threads * sizeof hasher->threads[0]);
    *hasher = (struct hasher){.options = *options, .hash_us = HASH_US};
    hasher->known.last = &hasher->known.first;
    hasher->others.last = &hasher->others.first;
    make_dummy(options, hasher->dummy);
    pthread_mutex_init(&hasher->lock, NULL);
    pthread_cond_init(&hasher->work, NULL);
    metrics_add_source(write_metrics, hasher);
    for (int i = 0; i < threads; i++)
        hasher->threads[i] = thread_start("hasher", run, hasher);
    return hasher;
}

void hasher_free(struct hasher *hasher) {
    metrics_remove_source(write_metrics, hasher);
    pthread_mutex_lock(&hasher->lock);
    hasher->stopping = true;
    pthread_cond_broadcast(&hasher->work);
    pthread_mutex_unlock(&hasher->lock);
    for (int i = 0; i < hasher->options.threads; i++)
        pthread_join(hasher->threads[i], NULL);
    pthread_cond_destroy(&hasher->work);
    pthread_mutex_destroy(&hasher->lock);
    free(hasher);
}
