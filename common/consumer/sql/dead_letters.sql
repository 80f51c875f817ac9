-- Puts records aside that cannot be decoded. One that is there already is being read again.
insert into dead_letters (topic, partition, "offset", key, value, reason)
select * from unnest($1::text[], $2::int4[], $3::int8[], $4::bytea[], $5::bytea[], $6::text[])
on conflict do nothing
