-- Where each consumer stands, moved in the same transaction as the effects.
create table consumer_offsets (
    topic       text   not null,
    partition   int    not null,
    next_offset bigint not null,
    updated_at  timestamptz not null default now(),
    primary key (topic, partition)
);

-- Moves positions on, or raises ON001 when one of them is not where the caller left it: another instance has moved it.
create function advance_offsets(topics text[], partitions int[], expected bigint[], next bigint[]) returns void
language plpgsql as $$
declare moved int;
begin
    update consumer_offsets o
       set next_offset = m.next, updated_at = now()
      from unnest(topics, partitions, expected, next) as m (topic, partition, expected, next)
     where o.topic = m.topic and o.partition = m.partition and o.next_offset = m.expected;
    get diagnostics moved = row_count;
    if moved <> cardinality(topics) then
        raise exception 'a position is not where this consumer left it' using errcode = 'ON001';
    end if;
end $$;

-- Records that could not be decoded: put aside with the reason, so that the stream goes on.
create table dead_letters (
    topic     text   not null,
    partition int    not null,
    "offset"  bigint not null,
    key       bytea,
    value     bytea,
    reason    text   not null,
    at        timestamptz not null default now(),
    primary key (topic, partition, "offset")
);
