-- The role of a service that only reads, such as contextapi: SELECT on the tables, and nothing else.

CREATE FUNCTION grant_reader(role name) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role);
    EXECUTE format('GRANT SELECT ON remediation_audit, notification_audit, resource_action_traces, audit_events TO %I',
                   role);
END;
$$;
