-- Turns the second factor on whose secret (`sealed`) a code of this step was made of; `hashes`: of its recovery codes, 32 bytes each. Not `done`: another one
-- was begun meanwhile, or it is on.
create or replace function turn_on_second_factor(who uuid, sealed bytea, step bigint, hashes bytea, out done bool, out email text)
language plpgsql as $$
#variable_conflict use_column
begin
    select u.email into email from users u where u.id = who for no key update;
    update second_factors f set confirmed = true, last_step = step where f.user_id = who and f.secret = sealed and not f.confirmed;
    done := found;
    if done then
        insert into recovery_codes (user_id, hash)
        select who, substr(hashes, 1 + 32 * n, 32) from generate_series(0, length(hashes) / 32 - 1) n;
    end if;
end $$;
