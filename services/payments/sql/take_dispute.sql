-- Takes in events of Stripe about disputes.
-- @gather 10 ms
select ordinal
  from write_disputes($1::text[], $2::text[], $3::text[], $4::bool[], $5::int8[], $6::text[], $7::text[]) as w (ordinal)
