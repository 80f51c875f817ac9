/* http_listen: sockets and limits of the h2o servers in a process: the API's and the admin port's. Without
 * state; any thread. */
#pragma once

#include <h2o.h>
#include <stdbool.h>

#include "status.h"

/* A listening socket, or -1. shared: several may listen on the port, each gets a part of the connections. */
int http_listen(const char *address, int port, bool shared, struct why *w);
int http_port_of(int listen_fd);
void http_configure(h2o_globalconf_t *config, size_t large_body); /* limits and no HTTP/2; one host */
