#!/bin/sh
# examples/tap.sh [KCAT OPTIONS]    Every change of an order, as it comes: its time, its headers (what happened), its ticket.
exec kcat -q -b "${KAFKA_BROKERS:?}" -t orders -C -u "$@" -f '%T %h %k\n'
