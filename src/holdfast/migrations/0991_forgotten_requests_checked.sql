-- The rows that were there before are found to be as the key says.
-- depends: 0990_forgotten_requests

alter table messages validate constraint messages_request;
