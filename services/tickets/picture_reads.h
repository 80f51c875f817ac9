/* picture_reads: reads the files of pictures from the database, on a thread and a connection of its own. A
 * file is up to a few MiB, so in the batches of other reads it would keep everybody waiting, and hundreds of
 * them would be in memory at once. Here one is read at a time. All who wait for the same one get it together,
 * and so does who comes within the next second; none of them gets a copy.
 *
 * A request has its struct picture_read in its arena. */
#pragma once

#include "http.h"

struct picture_file; /* belongs to picture_reads, and stays as long as a request has it */

enum { PICTURE_HASH = 64 };

struct picture_key { /* without padding: compared as bytes */
    struct uuid show;
    char hash[PICTURE_HASH];
    uint32_t width;
};

struct picture_read {
    struct picture_key key;
    enum status st;  /* then: ST_OK, ST_FULL (too much is in memory), ST_LOST (the database is away) */
    struct str file; /* WebP, valid as long as the request; empty: there is none */

    struct req *rq;
    req_handler *then;
    struct picture_reads *reads;
    struct picture_file *from;
    struct picture_read *next;
};

struct picture_reads;
struct picture_reads *picture_reads_start(const char *database_url, int statement_timeout_ms);
/* On the request's thread. ST_OK: `then` is called, on the same thread, maybe before this returns. ST_FULL:
 * it is not. */
enum status picture_reads_ask(struct picture_reads *reads, struct req *rq, struct picture_read *read,
                              req_handler *then);
/* Ends the thread. Requests may still have files; what they have is freed with the last of them. */
void picture_reads_free(struct picture_reads *reads);
