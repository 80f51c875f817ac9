#include "mail.h"

#include <stdlib.h>

#include "clock.h"
#include "group_metrics.h"
#include "letter.h"
#include "log.h"
#include "mail_metrics.h"
#include "smtp.h"
#include "stream.h"
#include "wire.h"

enum {
    WAIT_MS = 1000,
    OUT_MS = 50, /* between looks, while nothing is fetched */
    COMMIT_MS = 5000,
    LAST_US = 3 * 1000 * 1000, /* what a letter that is on its way at the end may still take */
};

static const char *const topics[] = {"letters", NULL};

static struct smtp_options smtp_settings;
static int64_t timeout_ms;
static const char *from, *public_url, *link_keys;

const struct config_var mail_config[] = {
    {"SMTP_URL", CONFIG_TEXT, &smtp_settings.url, NULL,
     "The server that letters are given to: smtp://HOST:PORT, or smtps:// with TLS from the first byte", 0,
     0},
    {"SMTP_STARTTLS", CONFIG_BOOL, &smtp_settings.starttls, "true",
     "Whether smtp:// has to turn to TLS before anything is said; false: for a server on this machine", 0, 0},
    {"SMTP_CA", CONFIG_TEXT, &smtp_settings.ca, "",
     "A file of the authorities that vouch for that server; without one, the system's", 0, 0},
    {"SMTP_USER", CONFIG_TEXT, &smtp_settings.user, "", "Who we are to that server; without one, nobody", 0,
     0},
    {"SMTP_PASSWORD", CONFIG_SECRET, &smtp_settings.password, "", "The password of SMTP_USER", 0, 0},
    {"SMTP_TIMEOUT", CONFIG_DURATION, &timeout_ms, "30s", "How long the server may take for a letter", 1000,
     120000},
    {"MAIL_FROM", CONFIG_TEXT, &from, NULL, "The address that letters are from", 0, 0},
    {"PUBLIC_URL", CONFIG_TEXT, &public_url, NULL, "Where people find the site: https://HOST", 0, 0},
    {"LINK_KEYS", CONFIG_TEXT, &link_keys, NULL,
     "Files of 64 hexadecimal digits, separated by commas: the first makes letters' links, all are accepted",
     0, 0},
    {0},
};

struct mail {
    struct topic_thread thread; /* first: stream.h */
    struct wire_decoder *decoder;
    struct smtp *smtp;
    struct letter_options options;
    struct buf letter;
    bool placed;       /* `reached` of each partition is where we are */
    bool uncommitted;  /* something is behind what is committed */
    int64_t behind_us; /* when the letter was written that could not be sent now; 0: none */
    int64_t end_us;    /* when a letter on its way is given up; 0: not yet */
};

/* --- one letter --- */

static bool give_up(void *mail) {
    struct mail *x = mail;
    if (!topic_thread_stopping(&x->thread)) return false;
    if (x->end_us == 0) x->end_us = clock_mono_us() + LAST_US;
    return clock_mono_us() > x->end_us;
}

static void say(enum log_level level, const struct letter_event *e, const char *what, const struct why *w) {
    char id[UUID_TEXT];
    uuid_format(&e->id, id);
    log_at(level, "mail", "the letter %.*s %s%s", UUID_TEXT, id, what, w->text);
}

/* ST_OK: it is done with. */
static enum status give(struct mail *x, const struct letter_event *e, struct why *w) {
    letter_make(&x->letter, &x->options, e);
    const struct smtp_letter letter = {x->options.from, e->email, buf_str(&x->letter)};
    switch (smtp_send(x->smtp, &letter, w)) {
    case SMTP_SENT:
        metric_add(M_MAIL_SENT, 1);
        metric_observe_us(M_MAIL_TIME, clock_wall_us() - e->occurred_at);
        return ST_OK;
    case SMTP_REFUSED:
        say(LOG_WARN, e, "is refused for good: ", w);
        metric_add(M_MAIL_BOUNCED, 1);
        return ST_OK;
    case SMTP_LATER:
        metric_add(M_MAIL_DEFERRED, 1);
        return ST_LOST; /* its partition waits */
    case SMTP_AWAY:
        metric_add(M_MAIL_FAILURES, 1);
        return ST_AGAIN; /* all wait */
    case SMTP_WRONG:
        metric_add(M_MAIL_FAILURES, 1);
        break;
    }
    return ST_FAILED; /* a person has to look */
}

static enum status deliver(struct mail *x, const struct letter_event *e, struct why *w) {
    if (e->expires_at <= clock_wall_us()) {
        say(LOG_WARN, e, "comes too late and is not sent", &(struct why){0});
        metric_add(M_MAIL_EXPIRED, 1);
        return ST_OK;
    }
    if (!letter_can_go_to(e->email)) {
        say(LOG_WARN, e, "is not sent: it is for no address", &(struct why){0});
        metric_add(M_MAIL_BOUNCED, 1);
        return ST_OK;
    }
    enum status st = give(x, e, w);
    x->behind_us = st == ST_OK ? 0 : e->occurred_at;
    return st;
}

/* ST_OK, or why the record cannot be taken now. */
static enum status take(void *mail, struct group_partition *p, const rd_kafka_message_t *m, struct why *w) {
    struct mail *x = mail;
    struct letter_event e;
    enum status st = ST_INVALID;
    if (m->len == 0)
        why(w, st, "it is empty");
    else
        st = wire_decode(x->decoder, m->payload, m->len, &e, w);
    if (st == ST_OK) {
        st = deliver(x, &e, w);
    } else if (st == ST_INVALID) {
        log_warn("mail", "letters/%d@%lld is passed over: %s", m->partition, (long long)m->offset, w->text);
        metric_add(M_MAIL_UNDECODABLE, 1);
        st = ST_OK;
    }
    if (st != ST_OK) return st;
    p->reached = m->offset + 1;
    x->uncommitted = true;
    return ST_OK;
}

/* --- where we are --- */

static enum status commit(struct mail *x, struct why *w) {
    int count;
    struct group_partition *p = group_partitions(x->thread.group, &count);
    if (!x->uncommitted) return ST_OK;
    for (int i = 0; i < count; i++)
        p[i].next = p[i].reached;
    enum status st = group_commit_wait(x->thread.group, COMMIT_MS, w);
    x->uncommitted = st != ST_OK;
    return st;
}

/* The topic was made anew, or is new to us. */
static enum status begin(struct mail *x, struct group_partition *p, struct why *w) {
    if (p->gone) {
        log_warn("mail", "letters/%d does not have the record to go on from (any more)", p->partition);
        metric_add(M_OFFSET_RESETS, 1);
    }
    enum status st = group_earliest(x->thread.group, p, &p->next, w);
    if (st == ST_OK) p->gone = false;
    return st;
}

static enum status place(void *mail, struct why *w) {
    struct mail *x = mail;
    int count;
    struct group_partition *p = group_partitions(x->thread.group, &count);
    enum status st = x->placed ? commit(x, w) : group_committed(x->thread.group, w);
    for (int i = 0; st == ST_OK && i < count; i++) {
        if (x->placed) p[i].next = p[i].reached;
        if (p[i].gone || p[i].next < 0) st = begin(x, &p[i], w);
        if (st == ST_OK) p[i].reached = p[i].next;
    }
    if (st != ST_OK) return st;
    x->placed = true;
    metric_set(M_CONSUMER_PARTITIONS, count);
    group_fetch(x->thread.group);
    return ST_OK;
}

static void on_revoke(void *mail) {
    struct mail *x = mail;
    struct why w;
    if (x->placed && commit(x, &w) != ST_OK) log_warn("mail", "%s", w.text);
    x->placed = x->uncommitted = false;
}

/* --- the thread --- */

static void tick(struct mail *x) {
    if (!topic_thread_tick(&x->thread)) return;
    metric_set(M_MAIL_BEHIND, x->behind_us == 0 ? 0 : (clock_wall_us() - x->behind_us) / 1000000);
    topic_thread_measure(&x->thread);
}

static void step(void *mail) {
    struct mail *x = mail;
    struct topic_thread *thread = &x->thread;
    struct why w = {0};
    if (group_state(thread->group) == GROUP_HELD && topic_thread_place(thread, place))
        topic_thread_say_ready(thread);
    int wait_ms = group_state(thread->group) == GROUP_FETCHING ? WAIT_MS : OUT_MS;
    metric_add(M_CONSUMED, topic_thread_read(thread, wait_ms, 1, take));
    if (x->placed && x->uncommitted && group_state(thread->group) == GROUP_FETCHING) {
        enum status st = commit(x, &w);
        if (st != ST_OK) topic_thread_set_back(thread, st, &w);
    }
    tick(x);
}

/* --- starting and stopping --- */

static enum status mail_open(void *mail, const struct stream_options *options, struct why *w) {
    struct mail *x = mail;
    metrics_register(mail_metrics);
    x->options = (struct letter_options){.from = from, .public_url = public_url};
    if (letter_check(&x->options, w) != ST_OK) return ST_INVALID;
    smtp_settings.timeout_ms = (int)timeout_ms;
    smtp_settings.give_up = give_up;
    smtp_settings.arg = x;
    struct why cause;
    x->options.keys = admission_keys_open(link_keys, &cause);
    if (x->options.keys == NULL) return why(w, ST_INVALID, "LINK_KEYS: %s", cause.text);
    x->smtp = smtp_new(&smtp_settings, w);
    if (x->smtp == NULL) {
        admission_keys_free(x->options.keys);
        return ST_INVALID;
    }
    x->decoder = wire_decoder_new(x->thread.registry, topic_letters.type, options->unreadable_wait_ms);
    return ST_OK;
}

static void mail_close(void *mail) {
    struct mail *x = mail;
    smtp_free(x->smtp);
    wire_decoder_free(x->decoder);
    admission_keys_free(x->options.keys);
    buf_free(&x->letter);
    topic_thread_free(&x->thread);
    free(x);
}

/* No `gather`: somebody waits for each of them. */
static const struct stream_spec spec = {
    .size = sizeof(struct mail),
    .topics = topics,
    .work = {.step = step, .on_revoke = on_revoke, .close = mail_close},
    .open = mail_open,
};

static void *start(const struct stream_options *options, struct why *w) {
    return stream_start(&spec, options, w);
}

const struct service_stream mail_stream = {start, stream_ready, stream_stop};
