-- A record that was put aside, and is applied now.
select take_dead_letters($1::text[], $2::int4[], $3::int8[])
