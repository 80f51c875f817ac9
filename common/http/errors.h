/* errors: writes the one form of all errors, {"errors":[{"message","field"?}]}, for every status from 400 up.
 * Any thread. */
#pragma once

#include "json.h"

void errors_open(struct json *j);
void errors_add(struct json *j, const char *field, const char *message); /* field may be NULL */
void errors_close(struct json *j);
