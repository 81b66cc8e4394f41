-- Tenants, and what every table with rows of tenants has in common:
--
--   CREATE TABLE things (
--       id        uuid PRIMARY KEY,          -- UUIDv7, given by the application
--       tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
--       user_id   uuid NOT NULL,
--       UNIQUE (tenant_id, id),              -- for references to it, and for lists
--       -- Checks of references bypass row-level security, so they include the tenant.
--       FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
--   );
--   ALTER TABLE things ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE things FORCE ROW LEVEL SECURITY;   -- the application connects as the owner
--   CREATE POLICY tenant ON things USING (tenant_id = current_tenant());
--
-- The backup role has BYPASSRLS. Migrations that change rows run as the owner and see none of them: they have to
-- use NO FORCE for that transaction.
--
-- The previous version of the application runs on while a migration is applied: expand first, contract in a later
-- release. Migrate sets lock_timeout, and tries again when it passes.

-- +goose Up
CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;

COMMENT ON FUNCTION current_tenant() IS 'The tenant that the transaction is for; NULL when none is set';

CREATE FUNCTION is_authentication() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(current_setting('app.authentication', true) = 'on', false);

COMMENT ON FUNCTION is_authentication() IS 'The transaction finds out who the tenant is';

CREATE TABLE tenants (
    id         uuid PRIMARY KEY,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    tenant_id     uuid        NOT NULL REFERENCES tenants ON DELETE CASCADE,
    email         text        NOT NULL,
    role          text        NOT NULL CHECK (role IN ('owner', 'member')),
    password_hash text        NOT NULL,
    created_at    timestamptz NOT NULL,
    UNIQUE (tenant_id, id),
    CONSTRAINT users_email_key UNIQUE (email)
);

COMMENT ON COLUMN users.email IS 'In lower case';
COMMENT ON COLUMN users.password_hash IS 'argon2id, in PHC form';

CREATE TABLE logins (
    id         uuid PRIMARY KEY,
    tenant_id  uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    token_hash bytea       NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

COMMENT ON COLUMN logins.token_hash IS 'SHA-256 of the newest refresh token';

CREATE INDEX logins_tenant_id_user_id_idx ON logins (tenant_id, user_id);

CREATE TABLE api_keys (
    id                  uuid PRIMARY KEY,
    tenant_id           uuid        NOT NULL,
    user_id             uuid        NOT NULL,
    name                text        NOT NULL,
    key_hash            bytea       NOT NULL,
    scopes              text[]      NOT NULL,
    requests_per_minute integer     NOT NULL CHECK (requests_per_minute >= 0),
    tokens_per_day      bigint      NOT NULL CHECK (tokens_per_day >= 0),
    expires_at          timestamptz,
    revoked_at          timestamptz,
    created_at          timestamptz NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

COMMENT ON COLUMN api_keys.key_hash IS 'SHA-256 of the key';
COMMENT ON COLUMN api_keys.requests_per_minute IS '0 is no limit, as it is for tokens_per_day';

CREATE INDEX api_keys_tenant_id_user_id_idx ON api_keys (tenant_id, user_id);

CREATE TABLE idempotency_keys (
    tenant_id    uuid        NOT NULL REFERENCES tenants ON DELETE CASCADE,
    scope        text        NOT NULL,
    key          text        NOT NULL,
    fingerprint  bytea       NOT NULL,
    status       smallint,
    content_type text,
    body         bytea,
    created_at   timestamptz NOT NULL,
    locked_until timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, scope, key)
);

COMMENT ON TABLE idempotency_keys IS 'Answers by idempotency key, for 24 hours';
COMMENT ON COLUMN idempotency_keys.scope IS 'Method and path of the request';
COMMENT ON COLUMN idempotency_keys.status IS 'NULL, as content_type and body, until the request is answered';
COMMENT ON COLUMN idempotency_keys.locked_until IS 'Another request may take over an unanswered key after that';

CREATE INDEX idempotency_keys_tenant_id_created_at_idx ON idempotency_keys (tenant_id, created_at);

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenants USING (id = current_tenant());

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON users USING (tenant_id = current_tenant());
CREATE POLICY authentication ON users FOR SELECT USING (is_authentication());

ALTER TABLE logins ENABLE ROW LEVEL SECURITY;
ALTER TABLE logins FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON logins USING (tenant_id = current_tenant());
CREATE POLICY authentication ON logins FOR SELECT USING (is_authentication());
CREATE POLICY rotation ON logins FOR UPDATE USING (is_authentication());

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON api_keys USING (tenant_id = current_tenant());
CREATE POLICY authentication ON api_keys FOR SELECT USING (is_authentication());

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON idempotency_keys USING (tenant_id = current_tenant());

-- Exchanges are the operator's accounting: written, and read, without a tenant. Their tenant is not a reference, so
-- that they outlive it. A transaction for a tenant sees its own only.
ALTER TABLE exchanges ADD COLUMN tenant_id uuid, ADD COLUMN key_id uuid;
ALTER TABLE exchanges ENABLE ROW LEVEL SECURITY;
ALTER TABLE exchanges FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON exchanges USING (current_tenant() IS NULL OR tenant_id = current_tenant());

COMMENT ON COLUMN exchanges.tenant_id IS 'NULL in rows of versions that had no tenants';
COMMENT ON COLUMN exchanges.key_id IS 'API key of the request; NULL when it came with an access token';
