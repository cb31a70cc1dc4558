-- A partition a month, in UTC, for every range-partitioned table of this schema, made ahead of need. It is called when
-- the tables are made, and by the service when it starts and every day.
--
-- A row of a month that has no partition lands in the table's default partition, so a wrong clock, an import of old
-- records or a service that was off for months loses nothing. When the month's partition is made, its rows are moved.
--
-- It runs with the rights of the schema's owner, as the application's role owns nothing. So its search path is fixed to
-- what it was when the function was made, and every table is named with its schema, as the caller's temporary tables
-- would come first otherwise. A long query on the table delays it (lock_timeout) rather than everybody.

CREATE FUNCTION ensure_partitions(months_ahead integer, moment timestamptz DEFAULT now()) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '2s' AS $$
DECLARE
    here      name := current_schema();
    relation  name;
    parent    text;
    key       name;
    rest      text;
    partition text;
    month     timestamp;
    from_time timestamptz;
    to_time   timestamptz;
    strays    boolean;
    made      integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_partitions'), hashtext(here::regnamespace::oid::text));
    FOR relation, key IN
        SELECT relname, attname FROM pg_catalog.pg_partitioned_table
        JOIN pg_catalog.pg_class AS parents ON (parents.oid = partrelid)
        JOIN pg_catalog.pg_attribute ON (attrelid = partrelid AND attnum = partattrs[0])
        WHERE relnamespace = here::regnamespace AND partstrat = 'r' ORDER BY relname
    LOOP
        parent := format('%I.%I', here, relation);
        rest := format('%I.%I', here, relation || '_default');
        FOR ahead IN 0 .. months_ahead LOOP
            month := date_trunc('month', moment AT TIME ZONE 'UTC') + make_interval(months => ahead);
            partition := format('%I.%I', here, relation || to_char(month, '_YYYY_MM'));
            CONTINUE WHEN to_regclass(partition) IS NOT NULL;
            from_time := month AT TIME ZONE 'UTC';
            to_time := (month + interval '1 month') AT TIME ZONE 'UTC';
            -- No row may come after the look. The parent first, as queries do, or the two would wait for each other.
            EXECUTE format('LOCK TABLE ONLY %s, %s IN ACCESS EXCLUSIVE MODE', parent, rest);
            EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %I >= $1 AND %2$I < $2)', rest, key)
                INTO strays USING from_time, to_time;
            IF strays THEN
                EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', partition, parent);
                EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', rest);
                EXECUTE format('WITH moved AS (DELETE FROM %s WHERE %I >= $1 AND %2$I < $2 RETURNING *)'
                               ' INSERT INTO %3$s SELECT * FROM moved', rest, key, partition) USING from_time, to_time;
                EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', rest);
                EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                               parent, partition, from_time, to_time);
            ELSE  -- the usual case, at two thirds of the cost
                EXECUTE format('CREATE TABLE %s PARTITION OF %s FOR VALUES FROM (%L) TO (%L)',
                               partition, parent, from_time, to_time);
            END IF;
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END;
$$;

REVOKE EXECUTE ON FUNCTION ensure_partitions(integer, timestamptz) FROM PUBLIC;
