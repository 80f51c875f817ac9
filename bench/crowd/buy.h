/* buy: people come in by the queue of a show, each when his turn has come, and buy three places together. A
 * fifth gives them up after a while, the others pay. Who finds none tries again for as long as the sale
 * lasts; what comes back when nothing is left is offered to those who wait. A few try what must not work: to
 * buy by another's admission, or more than the limit.
 *
 * Whose turn it is is read from the topic, in place of what pages are told: a person asks when it is his. All
 * answers go to a file, a line each:
 *
 *     STEP UNIX_US LATENCY_US STATUS PLACE USER MORE
 *
 * LATENCY_US counts from when he wanted it, also while no connection was free. MORE: of a turn the place and
 * the time that it was answered with; of a purchase its id. One thread. */
#pragma once

#include "people.h"

enum { BUY_QUANTITY = 3 };

struct buy_options {
    int port, connections;
    const char *brokers, *show, *log;
    int64_t give_up_us, pay_us; /* from the purchase on */
    uint32_t seats;
    int64_t deadline_us; /* from the opening on, when it has not come to its end */
};

/* Says "ready" when everybody has a place to be drawn, and ends when all is sold and paid, or nobody is left.
 * false: it came to no end. */
bool buy_all(const struct buy_options *options, struct person *people, uint32_t count);
