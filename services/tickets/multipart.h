/* multipart: a field out of a form that was sent as multipart/form-data, as browsers send files. No state. */
#pragma once

#include <stdbool.h>

#include "str.h"

/* What the first field of that name has, within the body. false: there is none, or the body is malformed. */
bool multipart_find(struct str content_type, struct str body, const char *name, struct str *out);
