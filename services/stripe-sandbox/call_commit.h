/* call_commit: the parameters of the statements that make true what a request decided. On the request's
 * thread. */
#pragma once

#include "call.h"

/* Those of sql_commit_refund when act has a refund, else of sql_commit_intent. Chooses what happens to the
 * event (faults), so each call counts. */
void call_commit_put(struct sql_params *item, struct call *c, const struct act *act);
