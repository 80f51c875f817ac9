-- Lets so many seconds pass: everything that is kept is older by them, and keys are pruned.
with req as (
    select seconds, ordinal from unnest($1::int4[]) with ordinality as r (seconds, ordinal)
), passed as (
    select sum(seconds) * interval '1 s' as by from req
), pruned as (
    delete from idempotency_keys where created < now() - interval '24 hours' + (select by from passed)
), keys as (
    update idempotency_keys set created = created - p.by from passed p where created >= now() - interval '24 hours' + p.by
), intents as (
    update payment_intents set created = created - p.by, canceled = canceled - p.by from passed p
), refund as (
    update refunds set created = created - p.by from passed p
), dispute as (
    update disputes set created = created - p.by from passed p
), event as (
    update events set due = due - p.by, delivered = delivered - p.by from passed p
)
select ordinal from req order by ordinal
