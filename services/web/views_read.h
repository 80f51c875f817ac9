/* views_read: values out of JSON, for views*.c alone. false: it has none of that kind. */
#pragma once

#include <jansson.h>

#include "html.h"

bool read_text(const json_t *json, const char *key, struct str *out);
bool read_uuid(const json_t *json, const char *key, struct uuid *out);
bool read_time(const json_t *json, const char *key, int64_t *unix_us);
bool read_amount(const json_t *json, const char *key, struct str currency, struct price *out);
int read_one_of(struct str word, const char *const *words, int n); /* its place among them, or -1 */
