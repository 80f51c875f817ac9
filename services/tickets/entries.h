/* entries: the routes by which a ticket opens a door: its code for its buyer, the keys for whoever verifies
 * it, and the admission, which is its seller's. Any of the HTTP threads. */
#pragma once

#include "http.h"

req_handler entries_get_keys, entries_get_code, entries_admit_ticket, entries_admit_show;
