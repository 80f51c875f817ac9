#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "priv/group_priv.h"

enum {
    ASK_MS = 5000, /* most time that a question to the brokers may take */
    /* A transaction's timeout (transactions.c), Kafka's look at those that are over, and as long again: then
     * none of ours can be open any more. */
    DECIDED_MS = 40 * 1000,
};

const char *group_topic_name(const struct group *g, const struct group_partition *p) {
    return g->options.topics[p->topic];
}

rd_kafka_topic_partition_list_t *group_list(const struct group *g, const struct group_partition *first,
                                            int count, int64_t offset) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, group_topic_name(g, &first[i]), first[i].partition)->offset =
            offset;
    return list;
}

/* The partitions' offsets out of an answer, negative where there is none; its first error ends that. Frees
 * the list. */
static rd_kafka_resp_err_t read_offsets(const struct group *g, const struct group_partition *first, int count,
                                        rd_kafka_topic_partition_list_t *list, rd_kafka_resp_err_t err,
                                        int64_t *offsets) {
    for (int i = 0; i < count && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        const rd_kafka_topic_partition_t *answer =
            rd_kafka_topic_partition_list_find(list, group_topic_name(g, &first[i]), first[i].partition);
        err = answer->err;
        offsets[i] = answer->offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

/* Asks for offsets by their place (beginning, end) or time. Not rd_kafka_query_watermark_offsets, which may
 * wait forever before 2.3. */
static rd_kafka_resp_err_t ask(struct group *g, const struct group_partition *first, int count, int64_t place,
                               int64_t *offsets) {
    rd_kafka_topic_partition_list_t *list = group_list(g, first, count, place);
    rd_kafka_resp_err_t err = rd_kafka_offsets_for_times(g->rk, list, ASK_MS);
    return read_offsets(g, first, count, list, err, offsets);
}

static enum status ask_place(struct group *g, const struct group_partition *first, int count, int64_t place,
                             int64_t *offsets, struct why *w) {
    rd_kafka_resp_err_t err = ask(g, first, count, place, offsets);
    for (int i = 0; i < count && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        if (offsets[i] < 0) err = RD_KAFKA_RESP_ERR__NO_OFFSET;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
    return why(w, ST_LOST, "cannot learn the %s offsets of %s: %s",
               place == RD_KAFKA_OFFSET_END ? "last" : "first", group_topic_name(g, first),
               rd_kafka_err2str(err));
}

enum status group_earliest(struct group *g, const struct group_partition *p, int64_t *offset, struct why *w) {
    return ask_place(g, p, 1, RD_KAFKA_OFFSET_BEGINNING, offset, w);
}

enum status group_ends(struct group *g, int64_t *ends, struct why *w) {
    return g->count == 0 ? ST_OK : ask_place(g, g->partitions, g->count, RD_KAFKA_OFFSET_END, ends, w);
}

/* The ends first: what is written after them is of that time, too, so it is not passed over. */
enum status group_offsets_for_time(struct group *g, int64_t unix_ms, int64_t *offsets, struct why *w) {
    enum status st = group_ends(g, offsets, w);
    if (st != ST_OK || g->count == 0) return st;
    int64_t *found = mem_alloc((size_t)g->count * sizeof *found);
    rd_kafka_resp_err_t err = ask(g, g->partitions, g->count, unix_ms, found);
    for (int i = 0; i < g->count && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        if (found[i] >= 0) offsets[i] = found[i];
    free(found);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
    return why(w, ST_LOST, "cannot learn the offsets of a time: %s", rd_kafka_err2str(err));
}

static void read_notes(struct group *g, const rd_kafka_topic_partition_list_t *list) {
    for (int i = 0; i < g->count; i++) {
        const rd_kafka_topic_partition_t *answer = rd_kafka_topic_partition_list_find(
            list, group_topic_name(g, &g->partitions[i]), g->partitions[i].partition);
        char text[24];
        snprintf(text, sizeof text, "%.*s", (int)answer->metadata_size,
                 answer->metadata_size > 0 ? (const char *)answer->metadata : "");
        g->partitions[i].note = strtoll(text, NULL, 10);
    }
}

/* What is committed, from Kafka's answer. Frees the list. */
static rd_kafka_resp_err_t take_committed(struct group *g, rd_kafka_topic_partition_list_t *list,
                                          rd_kafka_resp_err_t err) {
    int64_t *committed = mem_alloc((size_t)g->count * sizeof *committed);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) read_notes(g, list);
    err = read_offsets(g, g->partitions, g->count, list, err, committed);
    for (int i = 0; i < g->count && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        g->partitions[i].next = g->partitions[i].committed = committed[i] < 0 ? -1 : committed[i];
    free(committed);
    return err;
}

/* The answer to the question of committed_so_far; NULL: none. */
static rd_kafka_topic_partition_list_t *answered(rd_kafka_event_t *event) {
    size_t n = 0;
    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) return NULL;
    const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &n);
    if (n != 1 || rd_kafka_group_result_error(groups[0]) != NULL) return NULL;
    return rd_kafka_topic_partition_list_copy(rd_kafka_group_result_partitions(groups[0]));
}

/* What is committed, whatever may become of open transactions. NULL: no answer. */
static rd_kafka_topic_partition_list_t *committed_so_far(struct group *g) {
    rd_kafka_topic_partition_list_t *list = group_list(g, g->partitions, g->count, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_ListConsumerGroupOffsets_t *question =
        rd_kafka_ListConsumerGroupOffsets_new(g->options.id, list);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(g->rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_queue_t *answers = rd_kafka_queue_new(g->rk);
    char text[128];
    rd_kafka_AdminOptions_set_request_timeout(options, ASK_MS, text, sizeof text);
    rd_kafka_ListConsumerGroupOffsets(g->rk, &question, 1, options, answers);
    rd_kafka_event_t *event = rd_kafka_queue_poll(answers, ASK_MS);
    rd_kafka_topic_partition_list_t *found = answered(event);
    if (event != NULL) rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(question);
    rd_kafka_topic_partition_list_destroy(list);
    return found;
}

/* Kafka does not say what is committed while a transaction may change it. It may have forgotten to end one:
 * where it answers, but not that, for so long that all of ours must have ended, what is committed stands. */
static rd_kafka_resp_err_t committed_despite(struct group *g, rd_kafka_resp_err_t err) {
    rd_kafka_topic_partition_list_t *list = committed_so_far(g);
    if (list == NULL) {
        g->undecided_since_us = 0;
        return err;
    }
    if (g->undecided_since_us == 0) g->undecided_since_us = clock_mono_us();
    if (clock_mono_us() - g->undecided_since_us < DECIDED_MS * INT64_C(1000)) {
        rd_kafka_topic_partition_list_destroy(list);
        return err;
    }
    log_warn(g->options.id,
             "Kafka keeps a transaction open that must have ended: going on from what is committed");
    g->hangs = true;
    return take_committed(g, list, RD_KAFKA_RESP_ERR_NO_ERROR);
}

enum status group_committed(struct group *g, struct why *w) {
    if (g->count == 0) return ST_OK;
    rd_kafka_topic_partition_list_t *list = group_list(g, g->partitions, g->count, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_resp_err_t err = take_committed(g, list, rd_kafka_committed(g->rk, list, ASK_MS));
    g->hangs = false;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) err = committed_despite(g, err);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return why(w, ST_LOST, "cannot learn the committed offsets: %s", rd_kafka_err2str(err));
    g->undecided_since_us = 0;
    return ST_OK;
}

bool group_hangs(const struct group *g) {
    return g->hangs;
}

void group_add_committed(const struct group *g, rd_kafka_topic_partition_list_t *positions) {
    for (int i = 0; i < g->count; i++) {
        const struct group_partition *p = &g->partitions[i];
        const char *topic = group_topic_name(g, p);
        char note[24];
        int n = snprintf(note, sizeof note, "%lld", (long long)p->note);
        if (p->committed < 0 || rd_kafka_topic_partition_list_find(positions, topic, p->partition) != NULL)
            continue;
        rd_kafka_topic_partition_t *position =
            rd_kafka_topic_partition_list_add(positions, topic, p->partition);
        position->offset = p->committed;
        position->metadata = mem_strdup(note);
        position->metadata_size = (size_t)n;
    }
}

int64_t group_lag(struct group *g) {
    int64_t lag = 0, low, high;
    for (int i = 0; i < g->count; i++) {
        struct group_partition *p = &g->partitions[i];
        if (rd_kafka_get_watermark_offsets(g->rk, group_topic_name(g, p), p->partition, &low, &high) == 0 &&
            high > p->reached)
            lag += high - p->reached;
    }
    return lag;
}

/* The positions that are not committed. */
static rd_kafka_topic_partition_list_t *uncommitted(const struct group *g) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(g->count);
    for (int i = 0; i < g->count; i++) {
        const struct group_partition *p = &g->partitions[i];
        if (p->committed == p->next) continue;
        rd_kafka_topic_partition_list_add(list, group_topic_name(g, p), p->partition)->offset = p->next;
    }
    return list;
}

static void note_committed(struct group *g) {
    for (int i = 0; i < g->count; i++)
        g->partitions[i].committed = g->partitions[i].next;
}

void group_commit(struct group *g) {
    rd_kafka_topic_partition_list_t *list = uncommitted(g);
    if (list->cnt > 0) rd_kafka_commit(g->rk, list, 1);
    note_committed(g);
    rd_kafka_topic_partition_list_destroy(list);
}

static rd_kafka_resp_err_t error_of_commit(rd_kafka_event_t *event) {
    if (event == NULL) return RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_resp_err_t err = rd_kafka_event_error(event);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    for (int i = 0; list != NULL && i < list->cnt && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        err = list->elems[i].err;
    return err;
}

/* rd_kafka_commit itself would wait without end. */
static rd_kafka_resp_err_t commit_and_wait(struct group *g, const rd_kafka_topic_partition_list_t *list,
                                           int timeout_ms) {
    rd_kafka_queue_t *answers = rd_kafka_queue_new(g->rk);
    rd_kafka_resp_err_t err = rd_kafka_commit_queue(g->rk, list, answers, NULL, NULL);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(answers, timeout_ms);
        err = error_of_commit(event);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(answers);
    return err;
}

enum status group_commit_wait(struct group *g, int timeout_ms, struct why *w) {
    rd_kafka_topic_partition_list_t *list = uncommitted(g);
    rd_kafka_resp_err_t err =
        list->cnt == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : commit_and_wait(g, list, timeout_ms);
    rd_kafka_topic_partition_list_destroy(list);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return why(w, ST_LOST, "cannot commit the offsets: %s", rd_kafka_err2str(err));
    note_committed(g);
    return ST_OK;
}
