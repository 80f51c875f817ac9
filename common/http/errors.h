/* errors: writes the one form of all errors, {"errors":[{"message","field"?}]}, for every status from 400 up.
 * Any thread. */
#pragma once

#include "json.h"

void errors_open(struct json *j);
/* The message becomes a sentence about its field: "must have 8 to 128 characters" of password is written as
 * "Password must have 8 to 128 characters", and without a field as "The body must …". What begins with
 * another word gets a capital. field may be NULL. */
void errors_add(struct json *j, const char *field, const char *message);
void errors_close(struct json *j);
