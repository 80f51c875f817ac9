/* request: what the requests about a password or an address share. Each counts the attempt and looks up whom
 * it is about (one statement), does the slow cryptography on another thread (hasher.h), and writes (one
 * statement). On the request's thread. */
#pragma once

#include "factor.h"
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
    struct factor factor;
    struct passkey_sent *passkey;    /* that is added, or signs in */
    char *secret;                    /* of a second factor that is begun, in base32 */
    char (*recovery)[RECOVERY_TEXT]; /* of one that is turned on */
    bool ended;                      /* of /me: the session ended, and the topic has not told it here yet */
    struct hash_job job;
};
struct auth_request *auth_request_new(struct req *rq);

/* The rows of auth_attempt. */
enum auth_column { ORDINAL, WAIT, ID, EMAIL, HASH, BY_KEY, SESSIONS, VERIFIED, KNOWN, FACTOR, FACTOR_ON };

/* The user that the job signed a session for, and that session. */
void auth_reply_signed_in(struct req *rq, int status);
/* Whose account it is, as members of an object. */
void auth_write_user(struct json *out, const struct uuid *id, struct str email);
/* What is kept of the session that the job signed: its id, how long it lives, from where and with what it was
 * begun. */
void auth_put_session(struct req *rq, struct sql_params *item);

/* For audit: the session of who is signed in, and where he is. One of before they had ids has none. */
void auth_put_asking(struct req *rq, struct sql_params *item);

/* Counts an attempt unless `most` is 0; then goes on with whom it is about. */
void auth_attempt(struct req *rq, struct str what, int64_t most, const struct uuid *user, req_done *done);
/* False: too many, answered. Costs no hash. */
bool auth_let_through(struct req *rq, const struct rows *rows);
/* Gives the request's job to the hasher. */
void auth_hash(struct req *rq, void (*then)(struct req *rq, void *job));

struct str auth_copy_text(struct req *rq, const struct rows *rows, enum auth_column column);

/* The job is to try this password, as it was typed, before anything else, and then the code. */
void auth_try(struct req *rq, struct str password, struct str code);
/* Notes for audit that `what` was refused, and counts `most` of that a day; then goes on. */
void auth_note_refusal(struct req *rq, const char *what, const char *reason, int64_t most, req_done *then);
/* The same of a wrong password or code, which counts. */
void auth_note_failure(struct req *rq, const char *what, const char *reason, req_done *then);

/* Whether the code was right, where one is needed; false: noted, and answered. */
bool auth_code_right(struct req *rq, const char *what);
/* Of one that was taken a moment before. */
void auth_code_taken(struct req *rq, const char *what);
/* Of who is signed in, and still is: password and code; false: answered. */
bool auth_current_right(struct req *rq, const char *what, const struct hash_job *job);
void auth_fail_current(struct req *rq);
/* The row of who is signed in, whose password the job tries; false: too many, or gone: answered. */
bool auth_look_up(struct req *rq, const struct rows *rows);
/* Whether the session ended with others, and the topic has not told it here yet. */
bool auth_session_is_old(struct req *rq, const struct rows *rows);
