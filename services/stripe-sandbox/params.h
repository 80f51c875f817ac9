/* params: reading the parameters of a call. On false the call is refused already, in Stripe's words. */
#pragma once

#include "call.h"

/* A problem with one parameter: 400. */
void param_refuse(struct call *c, const char *name, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

bool param_integer(struct call *c, const char *name, int64_t *out); /* left as it was when not given */
bool param_bool(struct call *c, const char *name, bool *out);       /* the same */
bool param_currency(struct call *c, struct str *out);               /* required; lower case */
bool param_metadata(struct call *c, struct str *out);               /* a JSON object */
