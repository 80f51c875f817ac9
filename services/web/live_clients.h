/* live_clients: how many streams each client has, so that none takes those of all others: by its address (of
 * IPv6 the /64) and by its session. Any thread; it has a lock, which is held for a look at a table. */
#pragma once

#include "address.h"
#include "uuid.h"

struct live_clients;
struct live_client { /* zeros: nobody is counted */
    struct uuid address, session;
};
enum live_admission { LIVE_ADMITTED, LIVE_MANY_OF_ADDRESS, LIVE_MANY_OF_SESSION };

/* Most streams of an address and of a session; 0: any number. */
struct live_clients *live_clients_new(int of_address, int of_session);
void live_clients_free(struct live_clients *clients);
struct live_client live_client_of(const struct address *address, const struct uuid *session_or_null);
/* Only who is admitted is counted, and leaves once. */
enum live_admission live_clients_enter(struct live_clients *clients, const struct live_client *client);
void live_clients_leave(struct live_clients *clients, const struct live_client *client);
int live_clients_count(struct live_clients *clients); /* of addresses and sessions */
