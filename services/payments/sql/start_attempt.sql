-- Starts attempts to pay; write_attempts says what the verdicts mean.
select * from write_attempts($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int4[], $7::text[])
