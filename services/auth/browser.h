/* browser: in a word, with what somebody signed in. Any thread. */
#pragma once

#include "str.h"

/* Of a User-Agent: "Firefox", "curl", …; empty: none that is known here. What it says may be a lie: for
 * people to look at alone. */
struct str browser_of(struct str agent);
