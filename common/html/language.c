#include "language.h"

#include <ctype.h>
#include <stddef.h>
#include <strings.h>

#define S STR
static const struct language_form forms[LANGUAGES] = {
    [LANGUAGE_EN] = {.tag = STR("en"),
                     .thousands = ',',
                     .point = '.',
                     .weekdays = {S("Sun"), S("Mon"), S("Tue"), S("Wed"), S("Thu"), S("Fri"), S("Sat")},
                     .months = {S("Jan"), S("Feb"), S("Mar"), S("Apr"), S("May"), S("Jun"), S("Jul"),
                                S("Aug"), S("Sep"), S("Oct"), S("Nov"), S("Dec")},
                     .behind_weekday = STR(" "),
                     .behind_day = STR(" ")},
    [LANGUAGE_DE] = {.tag = STR("de"),
                     .thousands = '.',
                     .point = ',',
                     .currency_behind = true,
                     .weekdays = {S("So."), S("Mo."), S("Di."), S("Mi."), S("Do."), S("Fr."), S("Sa.")},
                     .months = {S("Januar"), S("Februar"), S("März"), S("April"), S("Mai"), S("Juni"),
                                S("Juli"), S("August"), S("September"), S("Oktober"), S("November"),
                                S("Dezember")},
                     .behind_weekday = STR(", "),
                     .behind_day = STR(". "),
                     .behind_time = STR(" Uhr")},
};

static _Thread_local enum language used;

void language_use(enum language language) {
    used = language;
}

enum language language_in_use(void) {
    return used;
}

const struct language_form *language_form(void) {
    return &forms[used];
}

/* --- Accept-Language: ranges, each with a weight: "de-CH, de;q=0.9, en;q=0.8" --- */

static bool next_range(struct str *rest, struct str *range) {
    while (rest->n > 0 && strchr(", \t", *rest->p) != NULL)
        rest->p++, rest->n--;
    size_t n = 0;
    while (n < rest->n && rest->p[n] != ',')
        n++;
    *range = (struct str){rest->p, n};
    rest->p += n;
    rest->n -= n;
    return n > 0;
}

/* In thousandths. */
static int weight_of(struct str range) {
    const char *at = memmem(range.p, range.n, "q=", 2), *end = range.p + range.n;
    if (at == NULL) return 1000;
    int weight = 0, digits = 0;
    for (const char *p = at + 2; p < end && digits < 4 && (isdigit((unsigned char)*p) || *p == '.'); p++)
        if (*p != '.') weight = weight * 10 + (*p - '0'), digits++;
    for (; digits < 4; digits++)
        weight *= 10;
    return weight > 1000 ? 1000 : weight;
}

/* Of a tag, its first part counts: de-AT is de. LANGUAGES: none of ours. */
static enum language language_of(struct str range) {
    size_t n = 0;
    while (n < range.n && isalpha((unsigned char)range.p[n]))
        n++;
    for (int i = 0; i < LANGUAGES; i++)
        if (n == forms[i].tag.n && strncasecmp(range.p, forms[i].tag.p, n) == 0) return (enum language)i;
    return LANGUAGES;
}

enum language language_wanted(struct str accept) {
    enum language best = LANGUAGE_EN;
    int weight = 0;
    for (struct str range; next_range(&accept, &range);) {
        enum language language = language_of(range);
        if (language == LANGUAGES || weight_of(range) <= weight) continue;
        best = language;
        weight = weight_of(range);
    }
    return best;
}
