/* trace: traceparent of the W3C's Trace Context: 00-<trace, 32 hex>-<span, 16 hex>-<flags, 2 hex>. */
#pragma once

#include <stdbool.h>

#include "str.h"

enum { TRACE_TEXT = 55 };

bool trace_valid(struct str traceparent);
/* A span of our own, in the caller's trace, or in a new one where there is none (an empty str). Not
 * terminated. */
void trace_start(struct str caller, char out[TRACE_TEXT]);
