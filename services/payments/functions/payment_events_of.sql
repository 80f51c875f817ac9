-- What is told of a charge as it is now: each order of a purchase has an event of its own, with its own payment id and amount. All else
-- is that of the charge. Whatever changes a charge's version puts this into payment_events.
create or replace function payment_events_of(c charges, event text, trace text)
returns table (type text, id uuid, ticket_id uuid, order_id uuid, purchase_id uuid, version int, user_id uuid, status text, amount bigint,
               currency text, attempt int, final boolean, stripe_id text, reason text, traceparent text)
language sql stable as $$
    select event, o.payment_id, o.ticket_id, o.order_id, c.order_id, c.version, c.user_id, charge_status(c.state), o.amount, c.currency,
           c.attempt, c.final, c.stripe_id, case when c.state in ('failed', 'refunded') then c.reason when waits(c) then 'waiting' end, trace
      from orders_of(c) o
$$;
