-- The next events to deliver, soonest first, without those on their way ($1, and 0): as many as may be on their way together.
select e.seq, e.body, e.tries, e.due
  from events e
 where e.copies > 0 and e.seq <> all ($1::int8[])
 order by e.due, e.seq
 limit 129 - cardinality($1::int8[])
