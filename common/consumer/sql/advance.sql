-- Moves positions on; raises ON001 unless each is where this consumer left it.
select advance_offsets($1::text[], $2::int4[], $3::int8[], $4::int8[])
