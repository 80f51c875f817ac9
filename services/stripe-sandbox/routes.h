/* routes: what the sandbox answers. */
#pragma once

#include "http.h"

extern const struct route sandbox_routes[];
