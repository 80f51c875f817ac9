#include "buy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission.h"
#include "along.h"
#include "clock.h"
#include "door.h"
#include "mem.h"

enum { FIFTH = 5, GREEDY = 10, CHEATS = 50 }; /* one of so many, by the place */
static const int64_t retry_us = 200 * 1000, sold_out_us = 1000 * 1000;

enum step { TURN, BUY, AGAIN, CHEAT, GIVE_UP, PAY };

/* Somebody whose turn has come, or who says so. */
struct buyer {
    struct buyer *next;
    struct person *who;
    uint32_t place;
    enum step step;
    bool rests;  /* found none, and tries again later */
    bool waited; /* has done so, and keeps what he gets */
    int64_t due_us, since_us;
    char admission[ADMISSION_TEXT], purchase[UUID_TEXT + 1];
};

/* Each waits as long as the others of the same list, so the first is due first. */
struct list {
    struct buyer *first, **end;
    int64_t wait_us;
};

static const struct buy_options *o;
static struct door *door;
static FILE *log_file;
static struct person **by_place; /* from 1 */
static uint32_t people, served, offered, active;
static int64_t held;
static struct list first = {.wait_us = 0}, now = {.wait_us = 0}, retries, sold_out, givers, payers;

static void put(struct list *l, struct buyer *b, int64_t since_us) {
    if (l->first == NULL) l->end = &l->first;
    b->next = NULL;
    b->due_us = clock_mono_us() + l->wait_us;
    b->since_us = since_us != 0 ? since_us : b->due_us;
    *l->end = b;
    l->end = &b->next;
}

static struct buyer *pop(struct list *l) {
    struct buyer *b = l->first;
    if (b != NULL) l->first = b->next;
    return b;
}

static void go_on(struct buyer *b, enum step step, struct list *l) {
    b->step = step;
    put(l, b, 0);
}

static void leave(struct buyer *b) {
    active--;
    free(b);
}

/* --- what they ask for --- */

static struct str ask_turn(const struct buyer *b) {
    char path[128];
    snprintf(path, sizeof path, "/api/shows/%s/queue", o->show);
    return people_request(b->who, "GET", path, NULL, NULL);
}

static struct str ask_purchase(const struct buyer *b) {
    char key[64], user[UUID_TEXT], body[512];
    uuid_format(&b->who->id, user);
    snprintf(key, sizeof key, "%d-%.*s", b->step, UUID_TEXT, user);
    snprintf(body, sizeof body, "{\"showId\":\"%s\",\"quantity\":%d,\"together\":true,\"admission\":\"%s\"}",
             o->show, b->step == AGAIN ? 1 : BUY_QUANTITY, b->admission);
    return people_request(b->who, "POST", "/api/purchases", key, body);
}

static struct str ask_back(const struct buyer *b) {
    char path[128];
    snprintf(path, sizeof path, "/api/purchases/%s", b->purchase);
    return people_request(b->who, "DELETE", path, NULL, NULL);
}

static struct str ask_payment(const struct buyer *b) {
    char body[128];
    snprintf(body, sizeof body, "{\"purchaseId\":\"%s\",\"token\":\"pm_card_visa\"}", b->purchase);
    return people_request(b->who, "POST", "/api/payments", b->purchase, body);
}

/* --- what they do about the answer --- */

static struct buyer *new_buyer(struct person *who, uint32_t place, enum step step) {
    struct buyer *b = mem_alloc(sizeof *b);
    *b = (struct buyer){.who = who, .place = place, .step = step};
    active++;
    return b;
}

/* The value of a member of a flat JSON object, without its quotes; empty: it is not there. */
static struct str member(struct str body, const char *name) {
    char key[64];
    int n = snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = memmem(body.p, body.n, key, (size_t)n), *end = body.p + body.n;
    if (at == NULL) return (struct str){0};
    at += n;
    if (at < end && *at == '"') at++;
    size_t length = 0;
    while (at + length < end && strchr("\",}", at[length]) == NULL)
        length++;
    return (struct str){at, length};
}

/* 408: the connection was closed for its rest, just as it was to be used. */
static bool failed(const struct door_answer *a) {
    return a->status == 0 || a->status == 408 || a->status == 429 || a->status >= 500;
}

/* Somebody whose turn is far away uses what this one was given. */
static void cheat(const struct buyer *b) {
    uint32_t place = people - b->place;
    if (place <= served || by_place[place] == NULL) return;
    struct buyer *other = new_buyer(by_place[place], place, CHEAT);
    memcpy(other->admission, b->admission, sizeof other->admission);
    put(&now, other, 0);
}

static void on_turn(struct buyer *b, const struct door_answer *a) {
    struct str admission = member(a->body, "admission");
    if (a->status != 200 || admission.n == 0 || admission.n >= sizeof b->admission)
        return put(&retries, b, b->since_us); /* it was not heard of there yet */
    memcpy(b->admission, admission.p, admission.n);
    if (b->place % CHEATS == 0) cheat(b);
    go_on(b, BUY, &first);
}

static void on_purchase(struct buyer *b, const struct door_answer *a) {
    struct str id = member(a->body, "id");
    if (a->status == 201 && id.n == UUID_TEXT) {
        held += BUY_QUANTITY;
        memcpy(b->purchase, id.p, id.n);
        if (b->place % FIFTH == 0 && !b->waited) return go_on(b, GIVE_UP, &givers);
        return b->place % GREEDY == 1 ? go_on(b, AGAIN, &now) : go_on(b, PAY, &payers);
    }
    if (failed(a)) return put(&retries, b, b->since_us);
    if (a->status != 409) return leave(b);
    b->rests = b->waited = true;
    active--;
    put(&sold_out, b, 0);
}

static void on_again(struct buyer *b, const struct door_answer *a) {
    if (failed(a)) return put(&retries, b, b->since_us);
    go_on(b, PAY, &payers);
}

static void on_cheat(struct buyer *b, const struct door_answer *a) {
    if (failed(a)) return put(&retries, b, b->since_us);
    leave(b);
}

static void on_back(struct buyer *b, const struct door_answer *a) {
    if (a->status != 204) return put(&retries, b, b->since_us);
    held -= BUY_QUANTITY;
    leave(b);
}

/* 404: payments has not heard of the orders yet. */
static void on_payment(struct buyer *b, const struct door_answer *a) {
    if (failed(a) || a->status == 404) return put(&retries, b, b->since_us);
    leave(b);
}

static const struct {
    const char *name;
    struct str (*ask)(const struct buyer *b);
    void (*answered)(struct buyer *b, const struct door_answer *a);
} steps[] = {
    [TURN] = {"turn", ask_turn, on_turn},        [BUY] = {"buy", ask_purchase, on_purchase},
    [AGAIN] = {"again", ask_purchase, on_again}, [CHEAT] = {"cheat", ask_purchase, on_cheat},
    [GIVE_UP] = {"back", ask_back, on_back},     [PAY] = {"pay", ask_payment, on_payment},
};

static void write_log(const struct buyer *b, const struct door_answer *a) {
    char user[UUID_TEXT];
    uuid_format(&b->who->id, user);
    struct str id = member(a->body, b->step == TURN ? "place" : b->step == PAY ? "status" : "id");
    struct str until = b->step == TURN ? member(a->body, "until") : (struct str){0};
    if (id.n == 0) id = STR("-");
    fprintf(log_file, "%s %lld %lld %d %u %.*s %.*s %.*s\n", steps[b->step].name, (long long)clock_wall_us(),
            (long long)(clock_mono_us() - b->since_us), a->status, b->place, UUID_TEXT, user, (int)id.n, id.p,
            (int)until.n, until.p);
}

static void on_answer(void *who, const struct door_answer *answer) {
    struct buyer *b = who;
    write_log(b, answer);
    steps[b->step].answered(b, answer);
}

/* --- the sale --- */

static void wake(struct list *l) {
    for (int64_t at_us = clock_mono_us(); l->first != NULL && l->first->due_us <= at_us;) {
        struct buyer *b = pop(l);
        active += b->rests;
        b->rests = false;
        put(&now, b, b->since_us);
    }
}

static void ask_all(void) {
    static struct list *const order[] = {&first, &now};
    for (int i = 0; i < 2; i++)
        while (order[i]->first != NULL && door_is_free(door)) {
            struct buyer *b = pop(order[i]);
            door_ask(door, steps[b->step].ask(b), b);
        }
}

static void number_places(const struct room *r, struct person *all, uint32_t count) {
    by_place = mem_alloc((room_people(r) + 1) * sizeof(struct person *));
    people = room_people(r);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place;
        if (places_find(r->places, &all[i].id, &place) && place > 0 && place <= people)
            by_place[place] = &all[i];
    }
}

static void let_in(const struct room *r) {
    for (; served < room_serving(r) && served < people; served++)
        if (by_place[served + 1] != NULL) put(&now, new_buyer(by_place[served + 1], served + 1, TURN), 0);
    for (; offered < r->offers.count; offered++) {
        uint32_t place = r->offers.all[offered]->place;
        if (place <= people && by_place[place] != NULL) put(&now, new_buyer(by_place[place], place, TURN), 0);
    }
}

static bool is_over(void) {
    return active == 0 && (held + BUY_QUANTITY > (int64_t)o->seats || served == people);
}

static bool run(struct along *along, struct person *all, uint32_t count) {
    const struct room *r = along_room(along);
    int64_t end_us = 0;
    while (end_us == 0 || clock_mono_us() < end_us) {
        along_read(along);
        if (r->open && by_place == NULL) {
            number_places(r, all, count);
            end_us = clock_mono_us() + o->deadline_us;
        }
        if (by_place != NULL) let_in(r);
        struct list *const timed[] = {&retries, &sold_out, &givers, &payers};
        for (int i = 0; i < 4; i++)
            wake(timed[i]);
        ask_all();
        door_turn(door, 1);
        if (by_place != NULL && is_over()) return true;
    }
    return false;
}

bool buy_all(const struct buy_options *options, struct person *all, uint32_t count) {
    struct uuid show;
    o = options;
    if (!uuid_parse(str_of(o->show), &show)) return false;
    retries.wait_us = retry_us;
    sold_out.wait_us = sold_out_us;
    givers.wait_us = o->give_up_us;
    payers.wait_us = o->pay_us;
    log_file = fopen(o->log, "w");
    if (log_file == NULL) return false;
    struct along *along = along_open(o->brokers, &show);
    while (room_people(along_room(along)) < count)
        if (along_read(along) == 0) clock_wait(-1, clock_mono_us() + 10000);
    door = door_open(o->port, o->connections, on_answer);
    puts("ready");
    fflush(stdout);
    bool over = run(along, all, count);
    fclose(log_file);
    printf("{\"held\": %lld, \"served\": %u, \"people\": %u, \"left\": %u}\n", (long long)held, served,
           people, active);
    return over;
}
