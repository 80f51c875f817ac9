-- Records that could not become rows, with the reason; the record itself is on the topic warehouse-dead-letters, too.
create table if not exists dead_letters (
    kafka_topic     text        not null,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    connector       text        not null,
    stage           text        not null,
    exception       text        not null,
    reason          text,
    value           bytea,
    loaded_at       timestamptz not null default clock_timestamp(),
    primary key (kafka_topic, kafka_partition, kafka_offset)
);
