-- How many pictures each seller sent on which day (in UTC).
create table picture_days (
    user_id uuid not null,
    day     date not null,
    sent    int  not null,
    primary key (user_id, day)
);
create index picture_days_by_day on picture_days (day);
