-- Keeps what is known of purchases up with the events of their orders, and calls off or gives back what was paid for one that was cancelled.
select write_purchases($1::uuid[], $2::int4[], $3::uuid[], $4::uuid[], $5::text[], $6::int8[], $7::text[], $8::timestamptz[],
                       $9::text[], $10::uuid[], $11::int4[], $12::uuid[])
