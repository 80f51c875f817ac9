/* live_stream: one page's stream, and what the streams of a thread have in common. For live.c and
 * live_events.c; on the HTTP thread of the stream. */
#pragma once

#include "buf.h"
#include "live.h"
#include "live_clients.h"
#include "live_tap.h"
#include "templates.h"

struct live {
    struct live_options options;
    struct live_clients *clients;
    struct live_tap *tap;
    struct api *api;
    struct http *http;
    struct live_thread *threads; /* each has its own */
    _Atomic int streams, on_the_way;
};

struct live_thread {
    struct live *live;
    void (*flush)(struct live_thread *t); /* sends what was said to marked streams; live.c's */
    struct live_index index;
    struct live_stream *streams, *dirty;
    struct buf place;            /* up to which it knows what happened */
    int64_t listed;              /* tickets since the start */
    int64_t scanned_us;          /* when it last looked at each stream */
    struct buf cards[LANGUAGES]; /* of one ticket, each made once for all that show it */
};

struct live_stream {
    struct req *rq;
    struct live_thread *thread;
    struct live_stream *next, **at; /* of the thread; at is NULL before it begins and when it has ended */
    struct live_stream *next_dirty;
    bool dirty;                  /* something was said that is not flushed */
    const struct identity *user; /* NULL: nobody */
    struct live_client client;
    enum language language;
    struct str csrf; /* of its page's forms */
    bool counts;     /* tells how many tickets are new */
    int64_t counted; /* up to which it was told */
    int64_t spoke_us;
    struct live_question question;
    int nwants;
    struct live_want *wants;     /* that of a show is the last */
    struct live_want *show_want; /* NULL: there is none */
    struct live_places *places;  /* NULL: it shows none */
};

/* --- live_events.c: each appends to what is to be sent; true if it said something --- */
bool live_say(struct live_stream *s, struct live_want *want, const struct live_item *item);
void live_forget_cards(struct live_thread *t); /* before another ticket is told of */
void live_say_again(struct live_stream *s);    /* the page is to be read again */
void live_say_listed(struct live_stream *s);
void live_mark(struct live_stream *s); /* something was said: the next flush sends it, with all that was */
/* The end of what is said at a time: up to where the stream is complete, and what time it is. */
void live_say_place(struct live_stream *s);
void live_tick(struct buf *out, struct str place, int64_t now_ms); /* the words of it */
/* The data of an event: a line each for the lines of a text, whatever ends them. */
void live_data(struct buf *out, struct str text);
