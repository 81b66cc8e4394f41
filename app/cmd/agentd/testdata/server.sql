CREATE ROLE app_owner LOGIN;
CREATE ROLE reader;
CREATE ROLE ai_agent_backup LOGIN CREATEDB BYPASSRLS IN ROLE pg_read_all_data, app_owner;
CREATE DATABASE app OWNER app_owner;
