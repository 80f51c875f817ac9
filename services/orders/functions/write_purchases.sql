-- Places purchases, in the order of the requests: of each all orders or none. What a request gets is its verdict:
--     placed       here are its orders
--     repeated     the same Idempotency-Key again: here are the orders of that time; 'other body': it was for something else
--     missing, no area, own, accessible, not accessible, withdrawn, sold, reserved, dearer, currencies, limit, show limit,
--     never sold, not open, over, queue required, which area, code required, codes required: by the phases of the show
--     crowded, lapsed HOLDS SECONDS, fewer MOST: by who asks and from where (judge_origins.sql)
--     none         there are not as many places; `remaining` says how many there are (none: sold out)
--     again        a rival request on its way decides: ask again
-- Of each request, by its ordinal: admitted, the show in whose queue it is the buyer's turn; origins, where it comes from; askers, the same for audit.
create or replace function write_purchases_from(requests purchase_request[], admitted uuid[], origins purchase_origin[], askers purchase_asker[])
returns table (ordinal bigint, verdict text, remaining int, placed orders) language plpgsql as $$
declare
    one record;
    holds boolean := false; -- tickets by their ids, whose order is by chance: who waits for further ones may wait for whoever waits for these
begin
    return query select * from try_purchases_from(requests, admitted, origins, askers);
exception when unique_violation then -- a rival got one of the tickets by its id just now: nothing of this was done
    for n in 1 .. cardinality(requests) loop
        if holds and requests[n].tickets is not null then
            return query select requests[n].ordinal, 'again', null::int, null::orders;
            continue;
        end if;
        for one in select * from write_purchase_from(requests[n], admitted, origins, askers) loop
            ordinal := one.ordinal;
            verdict := one.verdict;
            remaining := one.remaining;
            placed := one.placed;
            holds := holds or verdict = 'placed' and requests[n].tickets is not null;
            return next;
        end loop;
    end loop;
end
$$;

-- One by itself.
create or replace function write_purchase_from(r purchase_request, admitted uuid[], origins purchase_origin[], askers purchase_asker[])
returns table (ordinal bigint, verdict text, remaining int, placed orders) language plpgsql as $$
begin
    return query select * from try_purchases_from(array[r], admitted, origins, askers);
exception when unique_violation then
    return query select r.ordinal, 'again', null::int, null::orders;
end
$$;

create or replace function try_purchases_from(requests purchase_request[], admitted uuid[], origins purchase_origin[], askers purchase_asker[])
returns table (ordinal bigint, verdict text, remaining int, placed orders) language plpgsql as $$
declare
    judged text[] := judge_origins(requests, origins, judge_purchases(requests, lock_buyers(requests), admitted));
    r purchase_request;
    claimed purchase_request[];
    refusals text[]; -- this and the next: of each request, why, and how many places were left
    left_over int[];
    gone uuid[];
begin
    loop
        select * into claimed, refusals, left_over from claim_all(requests, judged);
        exit when claimed = '{}';
        gone := tickets_gone(claimed);
        exit when gone = '{}';
        -- A hint was wrong: it is put right, and all is done again in the same order.
        perform set_free(row_of(i.id), 1::bigint << place_of(i.id), true) from unnest(claimed) c, unnest(c.tickets) as i (id);
        perform set_free(row_of(id), 1::bigint << place_of(id), false) from unnest(gone) as i (id);
    end loop;
    for n in 1 .. cardinality(requests) loop
        continue when refusals[n] is null;
        r := requests[n];
        if refusals[n] = 'repeated' then
            return query select r.ordinal, refusals[n], null::int, o from orders_by_key(r.user_id, r.key) o;
        else
            ordinal := r.ordinal;
            verdict := refusals[n];
            remaining := left_over[n];
            return next; -- without an order
        end if;
    end loop;
    if claimed <> '{}' then
        return query select * from write_claimed_from(claimed, origins, askers);
    end if;
end
$$;
-- The ordinals of those whose buyer is locked: of the requests of a buyer the first, unless another transaction has one of his.
create or replace function lock_buyers(requests purchase_request[]) returns bigint[] language plpgsql as $$
begin
    return array(select r.ordinal
                   from (select *, row_number() over (partition by user_id order by ordinal) as nth from unnest(requests)) r
                  where r.nth = 1 and pg_try_advisory_xact_lock(uuid_hash_extended(r.user_id, 0)));
end
$$;

create or replace function orders_by_key(buyer_id uuid, with_key text) returns setof orders language sql stable as $$
    select o.* from orders k cross join lateral orders_with(array[k.id]) o
     where k.user_id = buyer_id and k.idempotency_key = with_key order by o.id
$$;
