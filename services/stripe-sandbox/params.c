#include "params.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "buf.h"

/* https://stripe.com/docs/currencies */
static const char currencies[] =
    " usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp "
    "cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr "
    "isk jmd jpy kes kgs khr kmf krw kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn "
    "nad ngn nio nok npr nzd pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std "
    "szl thb tjs top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw bhd jod kwd omr tnd ";

void param_refuse(struct call *c, const char *name, const char *code, const char *fmt, ...) {
    char message[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    call_refuse(
        c, 400,
        &(struct problem){.type = "invalid_request_error", .code = code, .param = name, .message = message});
}

/* As much of a value as a message has room for. */
static int shown(struct str value) {
    return (int)(value.n < 80 ? value.n : 80);
}

bool param_integer(struct call *c, const char *name, int64_t *out) {
    struct str value;
    if (!call_param(c, name, &value)) return true;
    bool ok = value.n <= 12; /* far beyond any amount */
    for (size_t i = 0; ok && i < value.n; i++)
        ok = isdigit((unsigned char)value.p[i]) || (i == 0 && value.n > 1 && value.p[0] == '-');
    if (ok)
        *out = strtoll(value.p, NULL, 10); /* terminated: it is of the arena */
    else
        param_refuse(c, name, "parameter_invalid_integer", "Invalid integer: %.*s", shown(value), value.p);
    return ok;
}

bool param_bool(struct call *c, const char *name, bool *out) {
    struct str value;
    if (!call_param(c, name, &value)) return true;
    bool yes = str_eq(value, STR("true")), no = str_eq(value, STR("false"));
    if (yes || no)
        *out = yes;
    else
        param_refuse(c, name, NULL, "Invalid boolean: %.*s", shown(value), value.p);
    return yes || no;
}

bool param_currency(struct call *c, struct str *out) {
    struct str value;
    if (!call_param(c, "currency", &value)) {
        param_refuse(c, "currency", "parameter_missing", "Missing required param: currency.");
        return false;
    }
    char word[6] = " ";
    for (size_t i = 0; i < value.n && i < 3; i++)
        word[i + 1] = (char)tolower((unsigned char)value.p[i]);
    word[4] = ' ';
    if (value.n != 3 || strlen(word) != 5 || strstr(currencies, word) == NULL) {
        param_refuse(c, "currency", NULL, "Invalid currency: %.*s.", shown(value), value.p);
        return false;
    }
    *out = arena_str(req_arena(c->rq), (struct str){word + 1, 3});
    return true;
}

/* --- metadata --- */

enum { MOST_PAIRS = 50, LONGEST_KEY = 40, LONGEST_VALUE = 500 };

/* ORDER of metadata[ORDER]. */
static bool pair_name(struct str key, struct str *out) {
    static const char open[] = "metadata[";
    size_t n = sizeof open - 1;
    if (key.n < n + 2 || memcmp(key.p, open, n) != 0 || key.p[key.n - 1] != ']') return false;
    *out = (struct str){key.p + n, key.n - n - 1};
    return true;
}

static bool comes_again(const struct form *form, int i) {
    for (int k = i + 1; k < form->count; k++)
        if (str_eq(form->fields[k].key, form->fields[i].key)) return true;
    return false;
}

static void write_pair(struct json *out, struct str name, struct str value) {
    json_text(out, name);
    buf_add(&out->out, ":", 1);
    out->comma = false;
    json_text(out, value);
}

bool param_metadata(struct call *c, struct str *out) {
    struct json json = {0};
    struct str name;
    int pairs = 0;
    const char *wrong = NULL;
    json_open(&json, '{');
    for (int i = 0; wrong == NULL && i < c->form.count; i++) {
        const struct form_field *f = &c->form.fields[i];
        if (!pair_name(f->key, &name) || f->value.n == 0 || comes_again(&c->form, i)) continue;
        if (++pairs > MOST_PAIRS)
            wrong = "Metadata can have up to 50 keys.";
        else if (name.n > LONGEST_KEY)
            wrong = "Metadata keys can have up to 40 characters.";
        else if (f->value.n > LONGEST_VALUE)
            wrong = "Metadata values can have up to 500 characters.";
        write_pair(&json, name, f->value);
    }
    json_close(&json, '}');
    *out = call_take(c, &json);
    if (wrong != NULL) param_refuse(c, "metadata", NULL, "%s", wrong);
    return wrong == NULL;
}
