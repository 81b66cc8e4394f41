-- +goose Up
ALTER TABLE idempotency_keys ADD COLUMN claim uuid;

COMMENT ON COLUMN idempotency_keys.claim IS 'The request that holds the key; NULL in rows of versions before';
