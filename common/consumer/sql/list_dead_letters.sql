-- What was put aside behind a place, in order.
select i.ordinal, d.topic, d.partition, d."offset", d.key, d.value, d.reason, (extract(epoch from d.at) * 1000000)::int8 as at_us
  from unnest($1::text[], $2::int4[], $3::int8[]) with ordinality as i (topic, partition, "offset", ordinal)
 cross join lateral (
       select * from dead_letters l
        where (l.topic, l.partition, l."offset") > (i.topic, i.partition, i."offset")
        order by l.topic, l.partition, l."offset"
        limit 100) d
 order by i.ordinal, d.topic, d.partition, d."offset"
