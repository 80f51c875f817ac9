/* routes: the HTTP side of the sandbox, as a table. */
#pragma once

#include "http.h"

extern const struct route sandbox_routes[];
