-- +goose Up
-- See 00002_accounts.sql for what tables with rows of tenants have in common. Here the primary key leads with
-- the tenant: one index serves it, references and lists.
CREATE TABLE agents (
    tenant_id     uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id            uuid        NOT NULL,
    name          text        NOT NULL,
    model         text        NOT NULL,
    system_prompt text        NOT NULL,
    retrieval     boolean     NOT NULL,
    temperature   double precision,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE sessions (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    agent_id   uuid        NOT NULL,
    title      text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT sessions_agent_fkey FOREIGN KEY (tenant_id, agent_id)
        REFERENCES agents (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX sessions_agent_idx ON sessions (agent_id);

CREATE TABLE messages (
    tenant_id         uuid        NOT NULL,
    id                uuid        NOT NULL,
    session_id        uuid        NOT NULL,
    role              text        NOT NULL CHECK (role IN ('user', 'assistant')),
    status            text        NOT NULL,
    content           text        NOT NULL,
    error             text        NOT NULL,
    model             text        NOT NULL,
    prompt_tokens     integer,
    completion_tokens integer,
    citations         jsonb       NOT NULL,
    created_at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT messages_session_fkey FOREIGN KEY (tenant_id, session_id)
        REFERENCES sessions (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT messages_status_check CHECK (
        status = 'completed' OR role = 'assistant' AND status IN ('in_progress', 'failed', 'interrupted'))
);

COMMENT ON COLUMN messages.prompt_tokens IS 'NULL when the model server did not report usage';
COMMENT ON COLUMN messages.content IS 'Of an answer: as much of it as came; empty while it is in progress';

CREATE INDEX messages_session_idx ON messages (session_id, id);
CREATE UNIQUE INDEX messages_in_progress_key ON messages (session_id) WHERE status = 'in_progress';

ALTER TABLE agents ENABLE ROW LEVEL SECURITY;
ALTER TABLE agents FORCE ROW LEVEL SECURITY;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE messages FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON agents USING (tenant_id = current_tenant());
CREATE POLICY tenant ON sessions USING (tenant_id = current_tenant());
CREATE POLICY tenant ON messages USING (tenant_id = current_tenant());
