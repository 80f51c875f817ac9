-- Removes a passkey of a user. Not `removed`: he has none of this id. The user is locked first, as all who change him do.
create or replace function remove_passkey(who uuid, passkey uuid, out removed bool, out email text) language plpgsql as $$
#variable_conflict use_column
begin
    select u.email into email from users u where u.id = who for no key update;
    delete from passkeys p where p.id = passkey and p.user_id = who;
    removed := found;
end $$;
