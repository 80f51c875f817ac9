-- How many payments of a buyer came to nothing within a day, over all orders: declined, or paid for an order that was ended meanwhile,
-- which costs Stripe's fee.
create or replace function failed_tries(buyer_id uuid) returns bigint language plpgsql stable as $$
begin
    return (select coalesce(sum(c.attempt - case when c.state = 'failed' or c.state in ('refunding', 'refunded') and c.reason = 'order_ended'
                                                 then 0 else 1 end), 0)
              from charges c
             where c.user_id = buyer_id
               and c.id >= first_id_of(now() - interval '1 day'));
end
$$;

-- How many payments of a buyer for tickets of this seller were declined within a day.
create or replace function declined_there(buyer_id uuid, at_seller uuid) returns bigint language plpgsql stable as $$
begin
    return (select coalesce(sum(c.attempt - case when was_declined(c.state, c.reason) then 0 else 1 end), 0)
              from charges c
             where c.user_id = buyer_id and c.seller_id = at_seller
               and c.id >= first_id_of(now() - interval '1 day'));
end
$$;
