/* dead_letters: the command of a service that shows the records it could not read, and applies them.
 *
 * It runs beside the service or without it: a reaction compares versions, so a record that comes late changes
 * only what is older. The main thread; calls block. */
#pragma once

#include <stdio.h>

#include "consumer.h"

/* A line for each: topic/partition@offset, when it was put aside, its key, why. In their order. */
enum status dead_letters_list(const struct consumer_options *options, FILE *out, struct why *w);

/* Carries out the reaction to each that can be read now, in their order, each in a transaction that also
 * removes it from the table: once, also when several do this at a time. Those that cannot be read, or that a
 * statement refuses or takes too long for, stay; *left says how many. */
enum status dead_letters_apply(const struct consumer_options *options, FILE *out, int *left, struct why *w);
