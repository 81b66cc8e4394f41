-- +goose NO TRANSACTION
-- +goose Up

-- Building waits for transactions that are older, but nothing waits for it.
SET lock_timeout = 0;
-- An attempt that was cut off leaves an index that is not valid.
DROP INDEX CONCURRENTLY IF EXISTS exchanges_tenant_id_id_idx;
CREATE INDEX CONCURRENTLY exchanges_tenant_id_id_idx ON exchanges (tenant_id, id);
RESET lock_timeout;
