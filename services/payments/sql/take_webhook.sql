-- Takes in events of Stripe, each once. Stripe waits for our answer, but nobody else does: buyers' statements go first.
-- @gather 10 ms
select ordinal
  from write_webhooks($1::text[], $2::uuid[], $3::int4[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                      $10::text[])
    as w (ordinal)
