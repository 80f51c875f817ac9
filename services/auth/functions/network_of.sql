-- The network of an address, by which many addresses of somebody are found: of IPv4 the /24, of IPv6 the /48. Empty for what is no address.
create or replace function network_of(address text) returns text language plpgsql immutable as $$
begin
    return coalesce(network(set_masklen(nullif(address, '')::inet, case when address like '%:%' then 48 else 24 end))::text, '');
end
$$;
