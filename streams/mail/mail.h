/* mail: the topic `letters` in, letters out, by SMTP.
 *
 * One letter at a time: the offset behind a letter is committed when the server has answered 250, and the
 * next one is begun when Kafka has acknowledged that. So a process that is killed in between sends that one
 * letter again, and no other; it has the same Message-ID then. A letter that the server refuses for good
 * (5xx) is given up; one that it does not take now (4xx) holds up its partition; while the server is away all
 * wait. What was not sent by its expiresAt is given up, too.
 *
 * A stream (stream.h): its one thread reads, sends and commits. */
#pragma once

#include "service.h"

extern const struct service_stream mail_stream;
extern const struct config_var mail_config[];
