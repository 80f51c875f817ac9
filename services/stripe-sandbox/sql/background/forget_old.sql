-- What Stripe would not know any more after so many hours ($1): answers to keys and delivered events.
with keys as (
    delete from idempotency_keys where created < now() - ($1::int4[])[1] * interval '1 hour'
)
delete from events where copies = 0 and delivered < now() - ($1::int4[])[1] * interval '1 hour'
