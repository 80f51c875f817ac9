-- Moves positions on, or raises ON001 when one of them is not where the caller left it: another instance has moved it.
create or replace function advance_offsets(topics text[], partitions int[], expected bigint[], next bigint[]) returns void
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
