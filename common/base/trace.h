/* trace: the header traceparent of the W3C's Trace Context: 00-<trace, 32 hex>-<span, 16 hex>-<flags, 2 hex>.
 * Any thread. */
#pragma once

#include <stdbool.h>

#include "str.h"

enum { TRACE_TEXT = 55 };

bool trace_valid(struct str traceparent);
/* Writes a new span of the caller's trace, or of a new trace if the caller's is not valid (or empty). Not
 * terminated. */
void trace_start(struct str caller, char out[TRACE_TEXT]);
