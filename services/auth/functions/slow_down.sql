-- As whose wrong passwords are counted what comes from an address for an account, each with how many a day cost nothing, and how
-- long the pause between two tries grows at most. IPv4 is one address; of IPv6 the /64, which is what one subscriber has, and what somebody
-- may have who has more. Of a device where somebody was signed in before it is that alone: strangers do not lock him out.
create or replace function counted_as(account text, address text, device uuid, most int)
returns table (who text, free int, longest interval) language plpgsql immutable as $$
begin
    if device is not null then
        return query select 'device ' || device, most, interval '15 minutes';
        return;
    end if;
    return query select 'account ' || account, most, interval '15 minutes' where account is not null;
    if address like '%:%' then
        return query select format('/%s %s', n.bits, network(set_masklen(address::inet, n.bits))), most * n.times, n.pause
                       from (values (64, 10, interval '1 minute'), (56, 20, interval '30 s'), (48, 80, interval '10 s')) as n (bits, times, pause);
    else
        return query select 'address ' || address, most * 10, interval '1 minute';
    end if;
end
$$;

-- Until when a password may not be tried; null: it may. Beyond what costs nothing each one that was wrong within a day makes the pause
-- behind it twice as long, from a second on.
create or replace function paused_until(account text, address text, device uuid, most int) returns timestamptz language plpgsql stable as $$
begin
    return (select max(f.latest + least(c.longest, interval '1 s' * 2 ^ least(f.count - c.free - 1, 20)))
              from counted_as(account, address, device, most) c
              join failures f on f.who = c.who
             where f.count > c.free and f.started > now() - interval '1 day');
end
$$;
