/* language: in which language a page is, and how that one writes dates and amounts. The texts are in
 * texts/TAG.txt, and become text_of() of templates.h.
 *
 * A thread has a language, as with uselocale(): that of the request which it handles, or of the page which it
 * tells changes to. Whoever goes on with a request sets it (visit_begin, api.c, live.c). */
#pragma once

#include <stdbool.h>

#include "str.h"

enum language { LANGUAGE_EN, LANGUAGE_DE, LANGUAGES };

struct language_form {
    struct str tag;        /* of BCP 47 */
    char thousands, point; /* within amounts */
    bool currency_behind;
    struct str weekdays[7]; /* from Sunday on */
    struct str months[12];
    struct str behind_weekday, behind_day, behind_time;
};

void language_use(enum language language);
enum language language_in_use(void);
const struct language_form *language_form(void); /* of that one */

/* What somebody reads best, of those that there are, by the header Accept-Language; English otherwise. */
enum language language_wanted(struct str accept);
