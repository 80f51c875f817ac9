#include "browser.h"

#include <string.h>

/* The first that is in it. Most say that they are also those further down. */
static const struct {
    struct str mark, name;
} browsers[] = {
    {STR("Edg/"), STR("Edge")},
    {STR("EdgA/"), STR("Edge")},
    {STR("EdgiOS/"), STR("Edge")},
    {STR("OPR/"), STR("Opera")},
    {STR("SamsungBrowser/"), STR("Samsung Internet")},
    {STR("Firefox/"), STR("Firefox")},
    {STR("FxiOS/"), STR("Firefox")},
    {STR("CriOS/"), STR("Chrome")},
    {STR("Chrome/"), STR("Chrome")},
    {STR("Safari/"), STR("Safari")},
    {STR("curl/"), STR("curl")},
};

struct str browser_of(struct str agent) {
    for (size_t i = 0; agent.n > 0 && i < sizeof browsers / sizeof *browsers; i++)
        if (memmem(agent.p, agent.n, browsers[i].mark.p, browsers[i].mark.n) != NULL) return browsers[i].name;
    return (struct str){0};
}
