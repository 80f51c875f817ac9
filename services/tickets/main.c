/* tickets: what is for sale, by whom, and whether somebody holds it; shows and their places. */
#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "codes.h"
#include "currency.h"
#include "events.h"
#include "fields.h"
#include "making.h"
#include "picture_reads.h"
#include "pictures.h"
#include "queries.h"
#include "reactions.h"
#include "recent.h"
#include "routes.h"
#include "service.h"

/* A picture, and what a form has around it. */
enum { LARGE_BODY = PICTURE_SENT_MOST + 64 * 1024 };

static struct tickets tickets;
static const char *key_files, *picture_program;

static const struct config_var tickets_config[] = {
    {"CURRENCY", CONFIG_TEXT, &tickets.currency, "USD",
     "Currency of new tickets (ISO 4217, one with two decimals or none)", 0, 0},
    {"TICKET_KEYS", CONFIG_TEXT, &key_files, NULL,
     "PEM files of Ed25519 keys, separated by commas: the first signs tickets' codes, all are accepted", 0,
     0},
    {"PICTURE_PROGRAM", CONFIG_TEXT, &picture_program, "",
     "The program that reads the pictures of shows; without one, the one beside this program", 0, 0},
    {"PICTURES_PER_DAY", CONFIG_INT, &tickets.pictures_a_day, "100",
     "Most pictures of shows that an account sends in a day (in UTC), also such that cannot be used", 1,
     1000000},
    {0},
};

static const char *beside_this(void) {
    static const char name[] = "picture";
    static char path[PATH_MAX + sizeof name];
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
    char *slash = n < 0 ? NULL : memrchr(path, '/', (size_t)n);
    memcpy(slash == NULL ? path : slash + 1, name, sizeof name);
    return path;
}

static enum status start(const struct settings *settings, void **state, struct session_keys **keys,
                         struct why *w) {
    (void)keys;
    const char *c = tickets.currency;
    if (strlen(c) != 3 || !isupper((unsigned char)c[0]) || !isupper((unsigned char)c[1]) ||
        !isupper((unsigned char)c[2]))
        return why(w, ST_INVALID, "CURRENCY: must be three capital letters, like USD, got \"%s\"", c);
    if (currency_decimals(str_of(c)) > 2)
        return why(w, ST_INVALID, "CURRENCY: %s has three decimals, which prices cannot have", c);
    fields_use_currency(str_of(c));
    tickets.codes = codes_open(key_files, w);
    if (tickets.codes == NULL) return ST_INVALID;
    tickets.making = making_start(settings->database_url);
    tickets.pictures = pictures_start(*picture_program == '\0' ? beside_this() : picture_program);
    tickets.picture_reads = picture_reads_start(settings->database_url, (int)settings->statement_timeout_ms);
    tickets.recent = recent_new((int)settings->threads);
    *state = &tickets;
    return ST_OK;
}

static void stop(void *state) {
    (void)state;
    making_free(tickets.making);
    pictures_free(tickets.pictures);
    picture_reads_free(tickets.picture_reads);
    recent_free(tickets.recent);
    codes_free(tickets.codes);
}

static const struct publisher_log tickets_logs[] = {
    {.table = "ticket_events", .topic = &topic_tickets},
    {.table = "show_events", .topic = &topic_shows},
    {.table = "entry_events", .topic = &topic_entries},
    {0},
};

int main(int argc, char **argv) {
    return service_main(argc, argv,
                        &(struct service){
                            .name = "tickets",
                            .config = tickets_config,
                            .schema = &tickets_schema,
                            .statements = tickets_statements,
                            .routes = tickets_routes,
                            .large_body = LARGE_BODY,
                            .lead_back = pictures_lead_back,
                            .publishes = tickets_logs,
                            .audit = &topic_tickets_audit,
                            .reactions = tickets_reactions,
                            .start = start,
                            .stop = stop,
                        });
}
