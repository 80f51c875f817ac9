/* hasher: does the slow cryptography on threads of its own: argon2id for passwords (some 90 ms and 64 MiB
 * each by default), RSA signatures for sessions (a millisecond).
 *
 * The number of threads is bounded, and so is memory; the queue is bounded, so no request waits too long. A
 * request fills a job in its arena and submits it; the job comes back on the request's thread. */
#pragma once

#include <sodium.h>

#include "http.h"
#include "session.h"

/* What to do, in this order: check a password, and what else there is to check, make a hash, sign a session.
 * When a check fails, nothing follows. The strs live with the request. */
struct hash_job {
    bool check; /* compares `password` with `known`; an empty `known` takes as long and is never right */
    struct str password, known; /* in their normal form (passwords.h) */
    struct str
        as_typed; /* if not empty: the password may have been hashed in this form, once; it is again, then */
    bool (*also)(void *also_arg); /* on the hasher's thread; NULL: there is nothing else to check */
    void *also_arg;
    struct str
        fresh; /* to hash, if not empty; a checked password under old parameters is hashed again, too */
    bool known_device;       /* takes the places that are kept for such, and is done before the others */
    struct identity session; /* to sign, from now on, unless its e-mail is empty; without an id it gets one */
    int64_t session_s;       /* how long it lives */

    bool right;                        /* the password was right, or none was to be checked */
    char hash[crypto_pwhash_STRBYTES]; /* "": none was made */
    char token[SESSION_MAX_TOKEN + 1];

    struct req *rq;
    void (*then)(struct req *rq, void *job);
    struct hash_job *next;
};

struct hasher;
struct hasher_options {
    int threads, queue;
    size_t memory;   /* of argon2id, in bytes */
    unsigned passes; /* of argon2id over it */
    struct session_signer *signer;
};
struct hasher *hasher_start(const struct hasher_options *options);
/* ST_OK: `then` will be called, on the thread of rq. ST_FULL: it will not. */
enum status hasher_give(struct hasher *hasher, struct hash_job *job, struct req *rq,
                        void (*then)(struct req *rq, void *job));
/* Seconds until a full queue has been worked off. */
int hasher_patience(const struct hasher *hasher);
/* After the request threads have ended. */
void hasher_free(struct hasher *hasher);
