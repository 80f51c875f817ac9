-- How the world sees a state.
create or replace function charge_status(state text) returns text language sql immutable as $$
    select case state when 'action' then 'requires_action' when 'abandoned' then 'requires_action'
                      when 'refunding' then 'succeeded' else state end
$$;
