/* pictures: the pictures of shows. Their routes (picture_routes.c), and the thread that has them made: one at
 * a time, each by a process of its own (the program `picture`, picture_wire.h), so that a picture which is
 * meant to break a decoder has nothing there to take, and a bounded share of memory and time.
 *
 * A request fills a job in its arena and gives it; it comes back on the request's thread. A job waits 20 s at
 * most, and is not begun when its client has left. */
#pragma once

#include "http.h"
#include "picture_wire.h"

req_handler pictures_put, pictures_post, pictures_get;
http_lead_back pictures_lead_back;

struct picture_job {
    bool late;                    /* nobody waits for it any more, or it waited too long: no verdict */
    int sent;                     /* a file of memory with what was sent; -1: none. Closed with the request */
    enum picture_verdict verdict; /* then, if it is PICTURE_DONE: */
    struct picture_made made;
    struct str files[PICTURE_SIZES]; /* WebP, valid as long as the request */
    char hash[64];                   /* of all of them, in hexadecimal */

    void *mapped; /* where the files are */
    size_t mapped_n;
    struct req *rq;
    req_handler *then;
    struct pictures *pictures;
    struct picture_job *next;
    struct uuid user;
    int64_t given_us;
};

/* A new job of who is signed in, in the request's arena. NULL: there is no memory for it, and it is answered.
 */
struct picture_job *pictures_job(struct req *rq, struct str sent);

struct pictures;
struct pictures *pictures_start(const char *program); /* its path */
/* ST_OK: `then` will be called. ST_FULL: it will not. What the same user gave before and still waits is late.
 */
enum status pictures_give(struct pictures *pictures, struct picture_job *job, req_handler *then);
void pictures_free(struct pictures *pictures); /* after the request threads have ended */
