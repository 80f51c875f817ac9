/* control: the routes under /sandbox that are not Stripe's: for tests, and for whoever tries things out. */
#pragma once

#include "call.h"

req_handler get_settings, post_settings, delete_settings, get_ledger;
/* What was kept before. Blocks; called at the start. */
enum status control_restore(struct sandbox *sandbox, struct why *w);
