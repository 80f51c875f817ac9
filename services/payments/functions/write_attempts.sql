-- For replicas of versions before, which know no line, and no limit of what fails: they ask Stripe at once.
create or replace function write_attempts(order_ids uuid[], charge_ids uuid[], user_ids uuid[], tokens text[], keys text[],
                                          most int[], traceparents text[])
returns setof charge_answer language plpgsql as $$
begin
    return query select * from start_attempts(order_ids, charge_ids, user_ids, tokens, keys, most, traceparents, null, null, null, null,
                                              null, null, null, null, null);
end $$;
