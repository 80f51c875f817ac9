-- Takes in what Stripe tells of disputes about payments of ours; the account at Stripe may have others. What comes late does not open
-- one again that is closed.
create or replace function write_disputes(ids text[], stripe_ids text[], statuses text[], are_closed boolean[], amounts bigint[],
                                          currencies text[], reasons text[])
returns setof bigint language plpgsql as $$
begin
    insert into disputes as d (id, stripe_id, status, closed, amount, currency, reason)
    select distinct on (e.id) e.id, e.stripe_id, e.status, e.closed, e.amount, e.currency, e.reason
      from unnest(ids, stripe_ids, statuses, are_closed, amounts, currencies, reasons)
        as e (id, stripe_id, status, closed, amount, currency, reason)
     where exists (select from charges c where c.stripe_id = e.stripe_id)
        or exists (select from returns r where r.stripe_id = e.stripe_id)
     order by e.id, e.closed desc
        on conflict (id) do update
       set status = excluded.status, closed = excluded.closed, amount = excluded.amount, changed_at = now()
     where excluded.closed or not d.closed;
    return query select generate_series(1, cardinality(ids))::bigint;
end $$;
