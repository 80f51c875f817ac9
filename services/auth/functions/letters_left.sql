-- Whether somebody may get another letter that others can ask for: one a minute, five an hour. So nobody fills another's mailbox by us.
create or replace function letters_left(who uuid) returns bool language plpgsql stable as $$
begin
    return (select count(*) < 5 and count(*) filter (where l.created_at > now() - interval '1 minute') = 0
              from links l where l.user_id = who and l.created_at > now() - interval '1 hour');
end $$;
