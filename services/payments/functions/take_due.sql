-- What Stripe has to be asked about now and nobody else asks about, as much as the pace allows (turns_of). Another row, with the question
-- 'wait', says that there may be more, whose turn comes in a moment.
create or replace function may_wait(taken int, turns int, most int) returns setof stripe_question language sql immutable as $$
    select null::uuid, null::uuid, null::int, 'wait', null, null::bigint, null, null, null::int, null::bigint
     where taken = turns and turns < most
$$;

-- Payments, by their places in line. One that was asked for and has no answer has a place before all that wait.
create or replace function take_payments(most int, thousandths int, extra int) returns setof stripe_question language plpgsql as $$
declare
    turns int := least(most, turns_of('payments', thousandths, extra));
    ids uuid[];
    last_place bigint;
begin
    select array_agg(order_id), max(place_in_line) into ids, last_place
      from (select c.order_id, c.place_in_line from charges c
             where c.ask = 'create' and c.ask_at <= now()
             order by c.place_in_line nulls first
             limit turns
               for update skip locked) t;
    if ids is not null then
        perform spend_turns('payments', thousandths, cardinality(ids), last_place);
        return query select * from ask_charges(ids);
    end if;
    return query select * from may_wait(coalesce(cardinality(ids), 0), turns, most);
end $$;

-- Charges that are cancelled, looked for or given back, those due for longest first; then those that are looked at.
create or replace function take_looks(most int, thousandths int, extra int) returns setof stripe_question language plpgsql as $$
declare
    turns int;
    ids uuid[];
    returned int;
begin
    if extra = 0 and not exists (select from charges c where c.ask <> 'create' and c.ask_at <= now()) then
        return;
    end if;
    turns := least(most, turns_of('others', thousandths, extra));
    select coalesce(array_agg(order_id), '{}'), count(*) filter (where ask = 'refund') into ids, returned
      from (select c.order_id, c.ask from charges c
             where c.ask not in ('create', 'look') and c.ask_at <= now()
             order by c.ask_at
             limit turns
               for update skip locked) t;
    ids := ids || array(select c.order_id from charges c
                         where c.ask = 'look' and c.ask_at <= now()
                         order by c.ask_at
                         limit turns - cardinality(ids)
                           for update skip locked);
    if cardinality(ids) > 0 then
        perform spend_turns('others', thousandths, cardinality(ids) - returned, null); -- a return is asked about later
        return query select * from ask_charges(ids);
    end if;
    return query select * from may_wait(cardinality(ids), turns, most);
end $$;

-- PaymentIntents that must not keep their money. After an answer to a refund that did not come, and when Stripe may have forgotten its
-- key, Stripe is asked which refunds there are.
create or replace function take_returns(most int, thousandths int, extra int) returns setof stripe_question language plpgsql as $$
declare
    turns int;
    ids text[];
begin
    if extra = 0 and not exists (select from returns r where r.ask is not null and r.ask_at <= now()) then
        return;
    end if;
    turns := least(most, turns_of('others', thousandths, extra));
    ids := array(select r.stripe_id from returns r
                  where r.ask is not null and r.ask_at <= now()
                  order by r.ask_at
                  limit turns
                    for update skip locked);
    if cardinality(ids) > 0 then
        perform spend_turns('others', thousandths, cardinality(ids), null);
    end if;
    return query
    with question as (
        select r.stripe_id,
               case when r.ask = 'refund' and (r.asked % 2 = 1 or r.key_at < now() - interval '23 hours') then 'refunds' else r.ask end as ask
          from returns r where r.stripe_id = any (ids)
    ), taken as (
        update returns r set ask_at = return_again_at(r.asked), asked = r.asked + 1,
                             key_at = case q.ask when 'refund' then coalesce(r.key_at, now()) else r.key_at end
          from question q
         where r.stripe_id = q.stripe_id
        returning r.order_id, q.ask, r.stripe_id, r.tries
    )
    select c.order_id, coalesce(c.id, c.order_id), c.attempt, t.ask, null::text, c.amount, c.currency, t.stripe_id, t.tries, 0::int8
      from taken t join charges c on c.order_id = t.order_id;
    return query select * from may_wait(cardinality(ids), turns, most);
end $$;

-- A charge, as it is now.
create or replace function payer_of(purchase_id uuid) returns setof charges language plpgsql volatile rows 1 as $$
begin
    return query select * from charges c where c.order_id = purchase_id;
end $$;
