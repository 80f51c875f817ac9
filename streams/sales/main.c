/* sales: counts what is placed, sold and cancelled of each ticket, minute by minute. */
#include "sales.h"

int main(int argc, char **argv) {
    return service_main(argc, argv,
                        &(struct service){
                            .name = "sales",
                            .config = sales_config,
                            .stream = &sales_stream,
                        });
}
