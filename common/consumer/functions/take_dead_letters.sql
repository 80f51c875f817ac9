-- Removes these dead letters, or raises ON001 when one of them is gone: another process has taken it.
create or replace function take_dead_letters(topics text[], partitions int[], offsets bigint[]) returns void
language plpgsql as $$
declare taken int;
begin
    delete from dead_letters d
     using unnest(topics, partitions, offsets) as t (topic, partition, "offset")
     where d.topic = t.topic and d.partition = t.partition and d."offset" = t."offset";
    get diagnostics taken = row_count;
    if taken <> cardinality(topics) then
        raise exception 'another process has taken a dead letter' using errcode = 'ON001';
    end if;
end $$;
