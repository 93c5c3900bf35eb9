-- name: questions_of
select id, status, created_at, text, public_text from ugc_items
 where business_id = %(business_id)s and email_index = %(email)s::bytea order by created_at, id;

-- name: lock_questions_of
select id from ugc_items
 where business_id = %(business_id)s and email_index = %(email)s::bytea order by id for no key update;

-- name: answers_to
select id, text from ugc_answers where business_id = %(business_id)s and item_id = %(id)s order by created_at, id;

-- name: empty_question
update ugc_items set text = %(text)s, email = null, email_index = null
 where business_id = %(business_id)s and id = %(id)s;

-- name: empty_answer
update ugc_answers set text = %(text)s where business_id = %(business_id)s and id = %(id)s;

-- name: forget_comments
update moderation_actions set comment = null where business_id = %(business_id)s and item_id = %(id)s;
