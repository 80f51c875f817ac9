-- The cards that are not tried again: functions/refused_cards.sql.
select fingerprint from unnest($1::int4[]) as r (most) cross join lateral refused_cards(r.most) as c (fingerprint)
