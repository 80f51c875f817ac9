-- Whose passkeys these are, by the authenticators' ids, and what they are checked with. Nulls: nobody's.
with req as (
    select * from unnest($1::bytea[]) with ordinality as r (credential, ordinal)
)
select r.ordinal, u.id, u.email, u.session_version, u.verified, p.algorithm, p.public_key
  from req r
  left join passkeys p on p.credential = r.credential
  left join users u on u.id = p.user_id
 order by r.ordinal
