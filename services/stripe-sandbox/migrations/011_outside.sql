-- What happens to money outside the API: refunds that end later, and disputes.
alter table refunds
    add column status  text not null default 'succeeded' check (status in ('pending', 'succeeded', 'failed')),
    add column failure text; -- why it failed

create table disputes (
    id             text   primary key collate "C",
    payment_intent text   not null unique references payment_intents,
    created        timestamptz not null,
    status         text   not null check (status in ('needs_response', 'won', 'lost'))
);

-- squawk-ignore require-concurrent-index-creation
create index payment_intents_by_metadata on payment_intents using gin (metadata jsonb_path_ops);

-- `refunded` is Stripe's: it counts refunds that are pending.
create or replace view ledger as
    select id, created, amount, currency, status, payment_method, received as captured, refunded, received - refunded as kept,
           (select count(*) from refunds r where r.payment_intent = i.id and r.status <> 'failed') as refunds, failure, metadata,
           (select count(*) from refunds r where r.payment_intent = i.id and r.status = 'failed') as refunds_failed,
           (select coalesce(sum(r.amount), 0)::bigint from refunds r where r.payment_intent = i.id and r.status = 'pending') as pending,
           (select d.status from disputes d where d.payment_intent = i.id) as dispute
      from payment_intents i;
