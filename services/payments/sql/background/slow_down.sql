-- Stripe answered 429: functions/take_turns.sql.
select slow_down(after_seconds) from unnest($1::int4[]) as r (after_seconds)
