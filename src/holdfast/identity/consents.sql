-- Statements about consents. There is none that changes or removes one.

-- name: add_consent
insert into consents (business_id, id, subject, kind, act, document_version, proof, locale)
values (%(business_id)s, %(id)s, %(subject)s, %(kind)s, %(act)s, %(document_version)s::text, %(proof)s, %(locale)s::text)
returning acted_at;

-- name: consents_of
select id, kind, act, document_version, proof, locale, acted_at from consents
 where business_id = %(business_id)s and subject = any (%(subjects)s::bytea[])
 order by acted_at, id;
