/* waiting_metrics: metrics of the stream waiting but for those of its group (group_metrics.h). */
#pragma once

#include "metrics.h"

#define WAITING_METRICS(X)                                                                                   \
    X(M_QUEUES, GAUGE, "onsale_waiting_queues", "Queues that can be joined or are open")                     \
    X(M_QUEUE_PEOPLE, GAUGE, "onsale_waiting_people", "People in these queues")                              \
    X(M_QUEUE_SERVED, GAUGE, "onsale_waiting_served", "Of these, people whose turn has come")                \
    X(M_QUEUE_BUYING, GAUGE, "onsale_waiting_buying", "Of these, people who have time to buy and have not")  \
    X(M_QUEUE_LEFT, GAUGE, "onsale_waiting_places_left", "Places not taken in the phases of open queues")    \
    X(M_QUEUE_BYTES, GAUGE, "onsale_waiting_people_bytes", "Memory that people in queues take")              \
    X(M_QUEUE_OVERDUE, GAUGE, "onsale_waiting_overdue_seconds",                                              \
      "How long the most overdue queue should have opened, or let in somebody for whom places are left")     \
    X(M_QUEUE_OFFERED, GAUGE, "onsale_waiting_offered",                                                      \
      "Offers made to people on the waiting lists of these queues")                                          \
    X(M_QUEUE_TAKEN, GAUGE, "onsale_waiting_offers_taken", "Of these, offers by which somebody has bought")  \
    X(M_QUEUE_LAPSED, GAUGE, "onsale_waiting_offers_lapsed",                                                 \
      "Of these, offers that were not taken in time: the places went on to others")                          \
    X(M_QUEUE_LEADS, GAUGE, "onsale_waiting_leads", "Queues that this replica wrote for last")               \
    X(M_RATE, GAUGE, "onsale_waiting_rate", "People a second who may come in, from all queues together")     \
    X(M_RATE_TOP, GAUGE, "onsale_waiting_rate_top", "The most that ADMIT_RATE and STRIPE_RATE let come in")  \
    X(M_RATE_LIMIT, GAUGE, "onsale_waiting_rate_limit",                                                      \
      "What holds the rate: 0 ADMIT_RATE, 1 STRIPE_RATE, 2 what orders can bear, 3 orders is not heard")     \
    X(M_RATE_FALLS, COUNTER, "onsale_waiting_rate_falls_total",                                              \
      "Times that the rate fell because orders had more to do than it can bear")                             \
    X(M_ORDERS_HEARD, GAUGE, "onsale_waiting_orders_heard",                                                  \
      "Processes of orders that say how loaded they are")                                                    \
    X(M_WAITING_READ, COUNTER, "onsale_waiting_records_total", "Records read, of all topics")                \
    X(M_WAITING_UNREADABLE, COUNTER, "onsale_waiting_undecodable_total",                                     \
      "Records passed over because they could not be decoded")                                               \
    X(M_WAITING_WRITTEN, COUNTER, "onsale_waiting_written_total", "Records that Kafka acknowledged")         \
    X(M_WAITING_FAILED, COUNTER, "onsale_waiting_failed_total", "Records that Kafka did not take")           \
    X(M_WAITING_JOINS, COUNTER, "onsale_waiting_joins_total", "People who joined, as the topic has them")    \
    X(M_WAITING_VOID, COUNTER, "onsale_waiting_void_total",                                                  \
      "Records on the topic that changed nothing: repeated, or late")                                        \
    X(M_WAITING_STOOD_IN, COUNTER, "onsale_waiting_stood_in_total",                                          \
      "Records written for a queue in place of another replica, which did not write")                        \
    X(M_WAITING_OPENING, HISTOGRAM, "onsale_waiting_opening_seconds",                                        \
      "From a phase's opening to every place in its queue being known")
METRICS_DECLARE(waiting_metrics, WAITING_METRICS);
