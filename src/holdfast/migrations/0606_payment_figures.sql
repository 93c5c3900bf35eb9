-- What monitors read across tenants of what needs a person about money.
-- depends: 0602_taking_payments, 0013_attention

grant select (business_id, kind, subject_id, resolved_at) on attention_items to holdfast_admission;
