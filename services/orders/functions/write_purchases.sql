-- Places purchases, in the order of the requests: of each all orders or none. What a request gets is its verdict:
--     placed       here are its orders
--     repeated     the same Idempotency-Key again: here are the orders of that time; 'other body': it was for something else
--     missing, no area, own, accessible, withdrawn, sold, reserved, currencies, limit, show limit
--     sold out
--     none         there are not as many places; `remaining` says how many there are
--     again        a rival request on its way decides: ask again
create or replace function write_purchases(requests purchase_request[])
returns table (ordinal bigint, verdict text, remaining int, placed orders) language plpgsql as $$
begin
    return query select * from try_purchases(requests);
exception when unique_violation then -- a rival got one of the tickets, by its id, just now: nothing of this was done
    return query select r.ordinal, 'again', null::int, null::orders from unnest(requests) r;
end
$$;

create or replace function try_purchases(requests purchase_request[])
returns table (ordinal bigint, verdict text, remaining int, placed orders) language plpgsql as $$
declare
    r purchase_request;
    refusal text;
    buyers uuid[] := '{}';
    sold_out text[] := '{}'; -- what of which show, as found by a request before
    claimed purchase_request[] := '{}';
begin
    foreach r in array requests loop
        refusal := case when r.user_id = any (buyers) or not pg_try_advisory_xact_lock(uuid_hash_extended(r.user_id, 0)) then 'again'
                        when r.key is not null then judge_key(r) end;
        buyers := buyers || r.user_id;
        if refusal is null and asked_of(r) = any (sold_out) then refusal := 'sold out'; end if;
        refusal := coalesce(refusal, judge_purchase(r));
        if refusal is null and r.tickets is null then
            r.tickets := claim_places(r);
            if r.tickets is null then
                refusal := case when places_left(r) = 0 then 'sold out' when has_room(r) then 'again' else 'none' end;
            end if;
            if refusal = 'sold out' then sold_out := sold_out || asked_of(r); end if;
        end if;
        if refusal is null then
            claimed := claimed || r;
        elsif refusal = 'repeated' then
            return query select r.ordinal, refusal, null::int, o from orders_by_key(r.user_id, r.key) o;
        else
            return query select r.ordinal, refusal, case refusal when 'none' then places_left(r) end, null::orders;
        end if;
    end loop;
    return query select * from write_claimed(claimed);
end
$$;

create or replace function asked_of(r purchase_request) returns text language sql immutable as $$
    select r.show_id || ' ' || r.accessible || ' ' || r.max_price || ' ' || coalesce(r.area_id::text, '')
$$;

create or replace function orders_by_key(buyer_id uuid, with_key text) returns setof orders language sql stable as $$
    select o.* from orders k cross join lateral orders_with(array[k.id]) o
     where k.user_id = buyer_id and k.idempotency_key = with_key order by o.id
$$;
