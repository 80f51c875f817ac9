/* outside: what happens to money without the API, by the routes under /sandbox: time passes, refunds end,
 * customers dispute. */
#pragma once

#include "http.h"

req_handler post_clock, post_settle, post_dispute;
