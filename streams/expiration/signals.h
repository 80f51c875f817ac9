/* signals: writes OrderExpired to the topic expirations. One owner thread.
 *
 * A signal that gets lost is not sent again from here: its timer stays set until the order is over, and fires
 * again. The number of signals that Kafka has not acknowledged is bounded, and none is added while Kafka
 * acknowledges nothing: timers wait in the wheel, where they take no more memory than before. */
#pragma once

#include "status.h"
#include "wheel.h"

struct signals;

/* NULL: a Kafka property is wrong. */
struct signals *signals_open(const char *brokers, struct why *w);
/* Before the first is given. schema_id: the registry's of the topic's schema. wake(arg) is called, from any
 * thread, when signals_poll has something to do. */
void signals_start(struct signals *s, int32_t schema_id, void (*wake)(void *arg), void *arg);

int signals_room(const struct signals *s); /* how many may be given now */
/* False: not taken, to be given again. */
bool signals_give(struct signals *s, const struct wheel_timer *timer, int64_t now_us);
void signals_poll(struct signals *s); /* takes acknowledgements in */

/* The end: waits for what is on its way, and does not wake any more. */
void signals_flush(struct signals *s, int timeout_ms);
void signals_free(struct signals *s);
