/* request: what the requests about a password or an address share. Each counts the attempt and looks up whom
 * it is about (one statement), does the slow cryptography on another thread (hasher.h), and writes (one
 * statement). On the request's thread. */
#pragma once

#include "fields.h"
#include "routes.h"

/* What a request needs beyond its callback; req_state. */
struct auth_request {
    struct credentials in; /* PATCH: the new ones, empty where they stay */
    struct str key;        /* Idempotency-Key */
    struct str address;    /* who sends it: the client may leave before the answer */
    struct str browser;    /* in a word; empty: not known */
    struct str language;   /* of letters to who sends it */
    struct uuid letter;    /* whose link this follows, or is to be */
    struct str account;    /* whose password is tried */
    struct uuid account_id;
    bool account_known; /* there is such an account; that is its id */
    struct uuid device; /* where it is tried: somebody was signed in there; zeros: not known */
    bool device_known;  /* and that was whose password is tried */
    bool ended;         /* of /me: the session ended, and the topic has not told it here yet */
    struct hash_job job;
};
struct auth_request *auth_request_new(struct req *rq);

/* The rows of auth_attempt. */
enum auth_column { ORDINAL, WAIT, ID, EMAIL, HASH, BY_KEY, SESSIONS, VERIFIED, KNOWN };

/* Whose account it is, as members of an object. */
void auth_write_user(struct json *out, const struct uuid *id, struct str email);
/* What is kept of the session that the job signed: its id, how long it lives, from where and with what it was
 * begun. */
void auth_put_session(struct req *rq, struct sql_params *item);

/* Counts an attempt unless `most` is 0; then goes on with whom it is about. */
void auth_attempt(struct req *rq, struct str what, int64_t most, const struct uuid *user, req_done *done);
/* False: too many, answered. Costs no hash. */
bool auth_let_through(struct req *rq, const struct rows *rows);
/* Gives the request's job to the hasher. */
void auth_hash(struct req *rq, void (*then)(struct req *rq, void *job));
