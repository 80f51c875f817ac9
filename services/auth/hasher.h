/* hasher: the slow cryptography, off the request threads: argon2id for passwords (some 90 ms and 64 MiB
 * each, unless told otherwise), RSA signatures for sessions (a millisecond).
 *
 * A bounded number of threads, so memory is bounded; a bounded queue before them, so nobody waits in vain. A
 * request fills a job in its arena, gives it away and gets it back on its own thread. */
#pragma once

#include <sodium.h>

#include "http.h"
#include "session.h"

/* What to do, in this order: check a password, make a hash, sign a session. When the check fails, nothing
 * follows. The strs live with the request. */
struct hash_job {
    bool check; /* `password` against `known`; an empty `known` is nobody's: takes as long, is never right */
    struct str password, known;
    struct str
        fresh; /* to hash, if not empty; a checked password under old parameters is hashed again, too */
    struct identity session; /* to sign, from now on, unless its e-mail is empty */
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
