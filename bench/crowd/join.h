/* join: everybody joins the queue of a show, once, as fast as the connections go. Prints a line of JSON. One
 * thread. */
#pragma once

#include "people.h"

void join_all(int port, const char *show, struct person *people, uint32_t count, int connections);
