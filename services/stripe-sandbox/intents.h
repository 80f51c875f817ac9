/* intents: payment intents, as /v1/payment_intents has them: create, confirm, cancel, and what 3-D Secure
 * makes of one; and what they are paid by. */
#pragma once

#include "call.h"

req_handler post_intent, get_intent, post_confirm, post_cancel, search_intents, get_method, get_token;
/* 3-D Secure is over. Commits, or refuses when the intent does not wait for it. */
void intent_authenticated(struct call *c, bool passed);
