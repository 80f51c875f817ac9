-- What happened to the places of shows, minute by minute, as the topic show-sales tells: for their sellers. A row is the newest of its key,
-- and comes again while its minute lasts, so pages leave room for it.
create table show_sales (
    show_id  uuid        not null,
    minute   timestamptz not null,
    area_id  uuid        not null,
    part     int         not null, -- the partition of orders that it was counted from: the sum is the area's
    version  int         not null,
    placed   int         not null,
    sold     int         not null,
    returned int         not null,
    revenue  bigint      not null, -- minor units
    primary key (show_id, minute, area_id, part)
) with (fillfactor = 70);
