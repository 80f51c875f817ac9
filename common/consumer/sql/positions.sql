-- Where this service stands on each partition; one that it never met starts at 0.
with mine as (
    select topic, partition, ordinal from unnest($1::text[], $2::int4[]) with ordinality as m (topic, partition, ordinal)
), added as (
    insert into consumer_offsets (topic, partition, next_offset)
    select topic, partition, 0 from mine order by topic, partition
    on conflict do nothing
)
select ordinal, coalesce(next_offset, 0) as next_offset
  from mine left join consumer_offsets using (topic, partition)
 order by ordinal
