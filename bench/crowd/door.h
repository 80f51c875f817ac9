/* door: requests to one server over kept connections, each with one request at a time. One thread. A
 * connection that is lost is opened again; what was asked on it is answered with status 0. */
#pragma once

#include <stdbool.h>

#include "str.h"

struct door_answer {
    int status;      /* 0: the connection was lost, and what became of the request is not known */
    struct str body; /* until the callback returns */
};

struct door;
/* answered(who, answer): within door_turn or door_ask. Everybody waits while nobody listens on the port of
 * 127.0.0.1; after half a minute it exits. */
struct door *door_open(int port, int connections, void (*answered)(void *who, const struct door_answer *));
bool door_is_free(const struct door *d);
/* Only when it is free. The request is copied. */
void door_ask(struct door *d, struct str request, void *who);
void door_turn(struct door *d, int wait_ms);
