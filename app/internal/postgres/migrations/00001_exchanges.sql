-- +goose Up
CREATE TABLE exchanges (
    id                uuid PRIMARY KEY,
    created_at        timestamptz NOT NULL,
    duration_ms       bigint      NOT NULL,
    request_id        text        NOT NULL,
    region            text        NOT NULL,
    model             text        NOT NULL,
    answer_model      text        NOT NULL,
    streamed          boolean     NOT NULL,
    cached            boolean     NOT NULL,
    status            text        NOT NULL CHECK (status IN ('completed', 'aborted', 'failed')),
    error             text        NOT NULL,
    finish_reason     text        NOT NULL,
    prompt_tokens     integer,
    completion_tokens integer,
    request           jsonb       NOT NULL,
    response          text        NOT NULL
);

COMMENT ON TABLE exchanges IS 'One row for each chat request that was passed to a model or answered from the cache';
COMMENT ON COLUMN exchanges.prompt_tokens IS 'NULL when the model server did not report usage';
COMMENT ON COLUMN exchanges.request IS 'The JSON object as received; a JSON string of it where jsonb cannot hold it';
COMMENT ON COLUMN exchanges.response IS 'Text of the first choice, as much of it as came';

CREATE INDEX exchanges_created_at_idx ON exchanges (created_at);
CREATE INDEX exchanges_request_id_idx ON exchanges (request_id);
