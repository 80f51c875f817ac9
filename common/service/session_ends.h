/* session_ends: reads on the topic `users` which sessions end before they expire (signed out, a changed
 * password, an account that is gone), and tells the HTTP threads, so that no request has to ask. On a thread
 * of its own.
 *
 * It begins where the oldest session that can still be used began. While Kafka is away, what is known stays
 * known. */
#pragma once

#include "http.h"

struct session_ends_options {
    const char *service; /* whose group it is */
    const char *brokers, *registry_url;
    int64_t session_ms; /* how long a session lives */
    struct http *http;
};

struct session_ends;
/* NULL: a Kafka property is wrong, why says which. The texts outlive it. */
struct session_ends *session_ends_start(const struct session_ends_options *options, struct why *w);
/* And frees; before http_free. What has not ended by then is left behind. NULL: there is none. */
void session_ends_stop(struct session_ends *ends, int timeout_ms);
