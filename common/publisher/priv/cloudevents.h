/* cloudevents: what describes an event to programs that know no more than CloudEvents 1.0: headers of its
 * record, by the binary mode of that standard's binding to Kafka. No state. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include "avro.h"
#include "clock.h"

struct cloudevent {
    char id[UUID_TEXT + 16]; /* ID/VERSION, or ID of what has no versions: the same however often it comes */
    char source[272];        /* /onsale/TOPIC */
    char type[80];           /* onsale.OrderCreated */
    char time[CLOCK_TEXT];   /* not terminated */
};

void cloudevent_fill(struct cloudevent *out, const struct topic *topic, const void *event);
