-- (Postgres's operators on bits all bind alike, from the left: a & (b << 1) needs its brackets.)

-- Whether places that are taken leave a single one free beside them.
create or replace function leaves_single(free bigint, taken bigint) returns boolean language plpgsql immutable parallel safe as $$
declare
    rest bigint := free & ~taken;
    alone bigint := rest & ~(rest << 1) & ~(rest >> 1);
begin
    return alone & ((taken << 1) | (taken >> 1)) <> 0;
end
$$;

-- Which k places side by side to take of a row's free ones: those that fit exactly, else those at an end of
-- what is free, else others, as long as no single place is left; else the first. Null: there are no k side by side.
create or replace function best_run(free bigint, k int) returns bigint language plpgsql immutable parallel safe as $$
declare
    starts bigint := run_starts(free, k);
    at_left bigint := starts & ~(free << 1);  -- nothing is free to the left of it
    at_right bigint := starts & ~(free >> k); -- nor to the right
    two_right bigint := starts & (free >> k) & (free >> (k + 1));
    two_left bigint := starts & (free << 1) & (free << 2);
    good bigint;
begin
    if starts = 0 then return null; end if;
    good := case when at_left & at_right <> 0 then at_left & at_right
                 when at_left & two_right <> 0 then at_left & two_right
                 when two_left & at_right <> 0 then two_left & at_right
                 when two_left & two_right <> 0 then two_left & two_right
                 else starts end;
    return (good & -good) * ((1::bigint << k) - 1);
end
$$;
