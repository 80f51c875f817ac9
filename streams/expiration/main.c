/* expiration: tells when an order's time to pay is over. */
#include "expiration.h"

int main(int argc, char **argv) {
    return service_main(argc, argv,
                        &(struct service){
                            .name = "expiration",
                            .config = expiration_config,
                            .stream = &expiration_stream,
                        });
}
