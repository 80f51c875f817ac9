/* control: the routes under /sandbox, which Stripe does not have: for tests and for development. */
#pragma once

#include "call.h"

req_handler get_settings, post_settings, delete_settings, get_ledger;
/* What was kept before. Blocks; called at the start. */
enum status control_restore(struct sandbox *sandbox, struct why *w);
