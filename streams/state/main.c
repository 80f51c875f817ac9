/* state: keeps the newest of each ticket, order and show on compacted topics. */
#include "state.h"

int main(int argc, char **argv) {
    return service_main(argc, argv,
                        &(struct service){
                            .name = "state",
                            .config = state_config,
                            .stream = &state_stream,
                        });
}
