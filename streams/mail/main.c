/* mail: sends the letters of the topic `letters`, by SMTP. */
#include "mail.h"

int main(int argc, char **argv) {
    return service_main(argc, argv,
                        &(struct service){
                            .name = "mail",
                            .config = mail_config,
                            .stream = &mail_stream,
                        });
}
