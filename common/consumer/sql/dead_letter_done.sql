-- A record that was put aside, and is applied now.
delete from dead_letters d
 using unnest($1::text[], $2::int4[], $3::int8[]) as done (topic, partition, "offset")
 where d.topic = done.topic and d.partition = done.partition and d."offset" = done."offset"
