CREATE ROLE reader;
CREATE ROLE ai_agent_backup LOGIN CREATEDB BYPASSRLS IN ROLE pg_read_all_data, ai_agent;
CREATE DATABASE app OWNER ai_agent;
