-- Takes in events of Stripe about refunds, each once.
-- @gather 10 ms
select ordinal from write_refund_news($1::text[], $2::uuid[], $3::text[]) as w (ordinal)
