/* origins: who asks to hold tickets and from where, and what is answered to those whose holds lapse, or of
 * whose network too many are held. The statements decide (judge_origins.sql). Any HTTP thread. */
#pragma once

#include "http.h"

/* A client's network as the database has it: an IPv6 address's first 64 bits, or an IPv4 address and 16 bits
 * of 0. So what differs in the last 8 bits, or 16, is of one /56 or /48. false: loopback and private
 * addresses, which are no clients of the Internet but a proxy, or a network of one's own. */
bool origins_network(const struct address *a, int64_t *network);
/* The parameters network, lapse_wait and network_most. */
void origins_put(struct req *rq, struct sql_params *item);
/* Answers the verdicts 'crowded', 'lapsed HOLDS SECONDS' and 'fewer MOST'; false: it is another. */
bool origins_refuse(struct req *rq, struct str verdict);
