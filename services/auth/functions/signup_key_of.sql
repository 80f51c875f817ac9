-- Who asks from an address: IPv6 addresses count by /64, which is what one subscriber has, so one of its 2^64 addresses says nothing.
create or replace function subscriber_of(address text) returns text language sql immutable parallel safe as $$
    select case when address like '%:%' then host(network(set_masklen(address::inet, 64))) else address end
$$;

-- What is kept of a sign-up's Idempotency-Key. Nobody is signed in yet, so keys are told apart by who sends them: otherwise
-- whoever guesses another's key could take it first. Hashed, so that no address stays with an account.
create or replace function signup_key_of(address text, key text) returns text language plpgsql immutable strict parallel safe as $$
begin
    return encode(sha256(convert_to(subscriber_of(address) || ' ' || key, 'UTF8')), 'base64');
end $$;
