-- How deliveries ended; `due` is when the next copy, or the next try, is.
update events e
   set copies = e.copies - d.arrived::int, tries = case when d.arrived then 0 else e.tries + 1 end, due = d.due,
       delivered = case when d.arrived and e.copies = 1 then now() end
  from unnest($1::int8[], $2::bool[], $3::timestamptz[]) as d (seq, arrived, due)
 where e.seq = d.seq and e.copies > 0
