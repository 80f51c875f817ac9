#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mem.h"

enum { MAX_NAME = 64, MAX_SECRET = 4096 };

/* What a value is refused with: long enough for any range. */
struct refusal {
    char text[160];
};

static const struct {
    const char *suffix;
    int64_t ms;
} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 86400 * 1000}, {"", 1000}};

/* Digits with an optional sign; *end is what follows. */
static bool parse_number(const char *text, int64_t *out, const char **end) {
    const char *digits = text + (*text == '-');
    if (*digits < '0' || *digits > '9') return false;
    char *stop;
    errno = 0;
    long long v = strtoll(text, &stop, 10);
    *out = v;
    *end = stop;
    return errno == 0;
}

static bool parse_duration(const char *text, int64_t *out) {
    int64_t n;
    const char *suffix;
    if (!parse_number(text, &n, &suffix) || n < 0) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(suffix, units[i].suffix) == 0) return !__builtin_mul_overflow(n, units[i].ms, out);
    return false;
}

static bool parse_bool(const char *text, bool *out) {
    static const char *const words[] = {"true", "1", "yes", "on", "false", "0", "no", "off"};
    for (int i = 0; i < 8; i++)
        if (strcasecmp(text, words[i]) == 0) {
            *out = i < 4;
            return true;
        }
    return false;
}

static bool in_range(const struct config_var *v, int64_t n) {
    return (v->min == 0 && v->max == 0) || (n >= v->min && n <= v->max);
}

/* In the largest unit that says it exactly. */
static void format_duration(char *out, size_t size, int64_t ms) {
    for (int i = 4; i >= 0; i--)
        if (ms % units[i].ms == 0 && (ms != 0 || i == 1)) {
            snprintf(out, size, "%lld%s", (long long)(ms / units[i].ms), units[i].suffix);
            return;
        }
}

static void describe(const struct config_var *v, struct refusal *r) {
    char low[32], high[32];
    bool any = v->min == 0 && v->max == 0;
    switch (v->kind) {
    case CONFIG_INT:
        if (any)
            snprintf(r->text, sizeof r->text, "a number");
        else
            snprintf(r->text, sizeof r->text, "a number from %lld to %lld", (long long)v->min,
                     (long long)v->max);
        break;
    case CONFIG_DURATION:
        format_duration(low, sizeof low, v->min);
        format_duration(high, sizeof high, v->max);
        if (any)
            snprintf(r->text, sizeof r->text, "a duration like 250ms, 15m or 30d");
        else
            snprintf(r->text, sizeof r->text, "a duration from %s to %s, like 250ms, 15m or 30d", low, high);
        break;
    case CONFIG_BOOL:
        snprintf(r->text, sizeof r->text, "true or false");
        break;
    case CONFIG_TEXT:
        snprintf(r->text, sizeof r->text, "a text");
        break;
    case CONFIG_SECRET:
        snprintf(r->text, sizeof r->text, "a secret text");
        break;
    }
}

static bool store(const struct config_var *v, const char *text) {
    int64_t n;
    const char *end;
    switch (v->kind) {
    case CONFIG_INT:
        if (!parse_number(text, &n, &end) || *end != '\0' || !in_range(v, n)) return false;
        *(int64_t *)v->target = n;
        return true;
    case CONFIG_DURATION:
        if (!parse_duration(text, &n) || !in_range(v, n)) return false;
        *(int64_t *)v->target = n;
        return true;
    case CONFIG_BOOL:
        return parse_bool(text, v->target);
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        *(const char **)v->target = text;
        return true;
    }
    return false;
}

const char *config_read_secret(const char *path, struct why *w) {
    char text[MAX_SECRET];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        why(w, ST_NOT_FOUND, "%s: %m", path);
        return NULL;
    }
    size_t n = fread(text, 1, sizeof text, file);
    bool whole = !ferror(file) && n < sizeof text && memchr(text, '\0', n) == NULL;
    fclose(file);
    while (whole && n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    if (!whole || n == 0) {
        why(w, ST_INVALID, "%s: must have a text of less than %d bytes", path, MAX_SECRET);
        return NULL;
    }
    text[n] = '\0';
    return mem_strdup(text);
}

/* NAME= is how a deployment leaves a setting out. */
static const char *from_environment(const char *name) {
    const char *text = getenv(name);
    return text != NULL && *text == '\0' ? NULL : text;
}

static enum status find(const struct config_var *v, const char **text, struct why *w) {
    char name[MAX_NAME];
    struct why reason;
    *text = from_environment(v->name);
    snprintf(name, sizeof name, "%s_FILE", v->name);
    const char *path = v->kind == CONFIG_SECRET ? from_environment(name) : NULL;
    if (path == NULL) return ST_OK;
    if (*text != NULL) return why(w, ST_INVALID, "%s: give either it or %s", v->name, name);
    *text = config_read_secret(path, &reason);
    return *text != NULL ? ST_OK : why(w, ST_INVALID, "%s: %s", name, reason.text);
}

static enum status load(const struct config_var *v, struct why *w) {
    const char *text;
    struct refusal wanted;
    describe(v, &wanted);
    if (find(v, &text, w) != ST_OK) return ST_INVALID;
    if (text == NULL) text = v->fallback;
    if (text == NULL) return why(w, ST_INVALID, "%s: must be given: %s (%s)", v->name, wanted.text, v->help);
    if (store(v, text)) return ST_OK;
    return why(w, ST_INVALID, "%s: must be %s, got \"%s\"", v->name, wanted.text, text);
}

enum status config_load(const struct config_var *const tables[], size_t ntables, struct why *w) {
    for (size_t t = 0; t < ntables; t++)
        for (const struct config_var *v = tables[t]; v != NULL && v->name != NULL; v++)
            if (load(v, w) != ST_OK) return ST_INVALID;
    return ST_OK;
}

void config_help(FILE *out, const struct config_var *const tables[], size_t ntables) {
    static const char *const kinds[] = {
        [CONFIG_TEXT] = "text", [CONFIG_SECRET] = "secret",     [CONFIG_INT] = "number",
        [CONFIG_BOOL] = "bool", [CONFIG_DURATION] = "duration",
    };
    fprintf(out, "%-22s %-8s  %-24s  %s\n", "SETTING", "KIND", "DEFAULT", "MEANING");
    for (size_t t = 0; t < ntables; t++)
        for (const struct config_var *v = tables[t]; v != NULL && v->name != NULL; v++) {
            const char *fallback = v->fallback == NULL    ? "(required)"
                                   : *v->fallback == '\0' ? "-"
                                                          : v->fallback;
            fprintf(out, "%-22s %-8s  %-24s  %s\n", v->name, kinds[v->kind], fallback, v->help);
        }
}
