/* origins: who asks to hold tickets and from where, and what is answered to those whose holds lapse, or of
 * whose network too many are held. The statements decide (judge_origins.sql). Any HTTP thread. */
#pragma once

#include "http.h"

/* The parameters network, lapse_wait and network_most, and those of req_put_asker. */
void origins_put(struct req *rq, struct sql_params *item);
/* Answers the verdicts 'crowded', 'lapsed HOLDS SECONDS' and 'fewer MOST'; false: it is another. */
bool origins_refuse(struct req *rq, struct str verdict);
