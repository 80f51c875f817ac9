-- Takes charges on by what Stripe answered.
select * from write_charges($1::uuid[], $2::int4[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
