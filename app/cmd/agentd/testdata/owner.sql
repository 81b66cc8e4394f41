CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('fine', 'so; so');
CREATE TABLE "values" (
    id bigserial PRIMARY KEY, b bytea, j json, jb jsonb, t text, f float8, r real, n numeric, at timestamptz,
    i interval, m money, a text[], h hstore, c regclass, mood mood, doubled numeric GENERATED ALWAYS AS (n * 2) STORED
);
COMMENT ON TABLE "values" IS 'it''s commented';
CREATE INDEX ON "values" USING bloom (t);
GRANT SELECT ON "values" TO reader;
INSERT INTO "values" (b, j, jb, t, f, r, n, at, i, m, a, h, c, mood) VALUES
    ('\x00ff5c27', '{"b":1, "a" : [1e400]}', '{"b":1,"a":null}', '', 'NaN', '-0', 'NaN', 'infinity', '1 mon -1 day',
     12.5, '{a,NULL,"NULL","q\"uo,te"}', 'k=>NULL, "odd key"=>"\""', '"values"', 'so; so'),
    (NULL, 'null', 'null', E'tab\tline\nback\\slash', 'Infinity', 0.1, 0.1000, '2026-03-29 01:30:00+01', '-3.7 s',
     NULL, '{}', '', 'pg_class', NULL),
    (NULL, NULL, NULL, NULL, 1e-310, NULL, 1e200, 'epoch', NULL, NULL, NULL, NULL, NULL, 'fine');
CREATE TABLE empty (id int);
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
INSERT INTO no_columns DEFAULT VALUES;
CREATE SCHEMA "Sche""ma; DROP";
CREATE TABLE "Sche""ma; DROP"."ta""ble 'x' %s $1 Ünï" ("t" int, "a b" text, "ROW" int[], "%d" date);
INSERT INTO "Sche""ma; DROP"."ta""ble 'x' %s $1 Ünï" SELECT i, 'x', ARRAY[i], 'today' FROM generate_series(1, 100) i;
CREATE TABLE measurements (day date, value int) PARTITION BY RANGE (day);
CREATE TABLE measurements_old PARTITION OF measurements FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE measurements_new PARTITION OF measurements FOR VALUES FROM ('2026-01-01') TO (MAXVALUE);
INSERT INTO measurements SELECT date '2025-12-01' + i, i FROM generate_series(1, 60) i;
CREATE TABLE parent (p int);
CREATE TABLE child (c int) INHERITS (parent);
ALTER TABLE parent ADD COLUMN late text DEFAULT 'later';
INSERT INTO parent VALUES (1);
INSERT INTO child (p, c) VALUES (2, 3);
CREATE TABLE hidden (owner text);
INSERT INTO hidden VALUES ('nobody'), ('nobody else');
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
ALTER TABLE hidden FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON hidden USING (owner = current_user);
CREATE UNLOGGED TABLE unlogged AS SELECT 1 AS one;
CREATE VIEW "view" AS SELECT * FROM "values";
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM "values";
SELECT lo_from_bytea(0, 'a large object');
CREATE TABLE counters (id int PRIMARY KEY, n int);
INSERT INTO counters SELECT i, 0 FROM generate_series(1, 50) i;
