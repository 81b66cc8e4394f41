-- +goose Up
-- pgvector is not a trusted extension: only a superuser can create it. In production it is in template1, so
-- that every new database has it and this does nothing. If this fails with "permission denied to create
-- extension", have a superuser run CREATE EXTENSION vector in this database once. 0.8 or later is needed, for
-- iterative scans.
CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE documents (
    tenant_id    uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id           uuid        NOT NULL,
    title        text        NOT NULL,
    content_type text        NOT NULL CHECK (content_type IN ('text/plain', 'text/markdown')),
    content      text        NOT NULL,
    bytes        integer     NOT NULL,
    chunks       integer     NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE chunks (
    tenant_id   uuid         NOT NULL,
    id          uuid         NOT NULL,
    document_id uuid         NOT NULL,
    ordinal     integer      NOT NULL,
    heading     text         NOT NULL,
    text        text         NOT NULL,
    embedding   vector(1536) NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT chunks_ordinal_key UNIQUE (tenant_id, document_id, ordinal),
    CONSTRAINT chunks_document_fkey FOREIGN KEY (tenant_id, document_id)
        REFERENCES documents (tenant_id, id) ON DELETE CASCADE
);

-- pgvector's defaults, written down: more of either costs time at every insert, and recall is raised per
-- query by hnsw.ef_search.
CREATE INDEX chunks_embedding_idx ON chunks USING hnsw (embedding vector_cosine_ops)
    WITH (m = 16, ef_construction = 64);

-- The words are a table of their own for the sake of its policy below.
--
-- The configuration is english for texts in any language. Question and text go through the same dictionary,
-- so words of other languages still find themselves. What it gains over simple: stems, and questions without
-- their stop words, all of which would have to be in the text otherwise. What it costs: a word of another
-- language that is also an English stop word, as the German "was" is, cannot be searched for.
CREATE TABLE chunk_words (
    tenant_id uuid     NOT NULL,
    chunk_id  uuid     NOT NULL,
    words     tsvector NOT NULL,
    PRIMARY KEY (tenant_id, chunk_id),
    CONSTRAINT chunk_words_chunk_fkey FOREIGN KEY (tenant_id, chunk_id)
        REFERENCES chunks (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX chunk_words_words_idx ON chunk_words USING gin (words);

ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE documents FORCE ROW LEVEL SECURITY;
ALTER TABLE chunks ENABLE ROW LEVEL SECURITY;
ALTER TABLE chunks FORCE ROW LEVEL SECURITY;
ALTER TABLE chunk_words ENABLE ROW LEVEL SECURITY;
ALTER TABLE chunk_words FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON documents USING (tenant_id = current_tenant());
CREATE POLICY tenant ON chunks USING (tenant_id = current_tenant());

-- The condition of a query on a table with policies is evaluated after them, unless its operator is
-- leakproof, which @@ is not: the GIN index could never be used. As part of the policy it can. So the words
-- are visible to a search only, for what app.search says, in the syntax of websearch_to_tsquery; without that
-- setting there are no rows.
CREATE POLICY search ON chunk_words FOR SELECT
    USING (tenant_id = current_tenant()
        AND words @@ websearch_to_tsquery('english', current_setting('app.search', true)));
CREATE POLICY write ON chunk_words FOR INSERT
    WITH CHECK (tenant_id = current_tenant());
