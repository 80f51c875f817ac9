/* status: how a call ended, as a value.
 *
 * A function that can fail returns one of these, or NULL or false. A message for people, where one is needed,
 * goes into a `struct why` beside it: what was tried, with what, and what to do. Running out of memory is not
 * a status: it aborts the process, since every process here may end at any moment without loss
 * (ARCHITECTURE.md). */
#pragma once

#define STATUS_TABLE(X)                                                                                      \
    X(ST_OK, "ok")                                                                                           \
    X(ST_AGAIN, "not now, try again")                                                                        \
    X(ST_FULL, "a bounded queue is full")                                                                    \
    X(ST_LOST, "connection lost")                                                                            \
    X(ST_TIMEOUT, "took too long")                                                                           \
    X(ST_INVALID, "malformed input")                                                                         \
    X(ST_NOT_FOUND, "no such thing")                                                                         \
    X(ST_FENCED, "somebody else owns this now")                                                              \
    X(ST_FAILED, "refused by the other side")                                                                \
    X(ST_STOPPED, "shutting down")

enum status {
#define X(name, text) name,
    STATUS_TABLE(X)
#undef X
};

const char *status_text(enum status st);

/* The reason that goes with a status, for a log line. */
struct why {
    char text[256];
};

/* Formats the reason and returns st, so that `return why(w, ST_LOST, "...")` reads as one step. w may be
 * NULL. */
enum status why(struct why *w, enum status st, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
