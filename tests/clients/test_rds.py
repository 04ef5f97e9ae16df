"""Relational databases through the current Python SDK, psycopg and psql: from creation to deletion."""

import datetime
import json
import threading
import time

import psycopg
import pytest
from alibabacloud_rds20140815 import models
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

from databases import CLASS, LARGER, NOT_FOUND, PASSWORD, Databases, until
from support import Clients, unique

# What the Terraform provider asks each time it reads an `alicloud_db_instance`, in its order.
TERRAFORM_READ = [
    "DescribeInstanceAutoRenewalAttribute",
    "DescribeDBInstanceAttribute",
    "DescribeDBInstanceIPArrayList",
    "DescribeTags",
    "DescribeDBInstanceMonitor",
    "DescribeSQLCollectorPolicy",
    "DescribeSQLCollectorRetention",
    "DescribeDBInstanceNetInfo",
    "DescribeDBInstanceEncryptionKey",
    "DescribeDBInstanceHAConfig",
    "DescribeParameters",
    "DescribePGHbaConfig",
    "DescribeSecurityGroupConfiguration",
    "DescribeDBInstanceSSL",
    "DescribeDBInstanceTDE",
    "DescribeHASwitchConfig",
    "DescribeHADiagnoseConfig",
    "DescribeInstanceLinkedWhitelistTemplate",
]


def refused(code, call):
    with pytest.raises(AlibabaCloudException) as error:
        call()
    assert error.value.code == code, error.value
    return error.value


@pytest.fixture(scope="module")
def databases(cloud):
    all = Databases(cloud, Clients(cloud, "http").rds())
    yield all
    all.remove_all()
    assert all.ids().isdisjoint(instance.id for instance in all.made)


@pytest.fixture(scope="module")
def instance(databases):
    """An instance with an account and a database, for tests that change nothing about it for long."""
    made = databases.create()
    made.make_account()
    made.make_database("app")
    return made


def test_a_new_instance_is_told_as_it_was_asked_for_and_reached_at_once(databases):
    name = unique("db")
    start = time.monotonic()
    tag = models.CreateDBInstanceRequestTag(key="unit", value="arsip")
    made = databases.create(name, tag=[tag], dbtime_zone="Asia/Jakarta")
    served = time.monotonic() - start
    made.make_account()
    version, writable, zone = made.ask(
        "select current_setting('server_version_num')::int / 10000, not pg_is_in_recovery(), current_setting('timezone')",
        database="postgres",
    )
    print(f"created in {served:.2f} s, first SQL after {time.monotonic() - start:.2f} s")
    told = made.attribute()
    assert (told.engine, told.dbinstance_class, told.dbinstance_storage) == ("PostgreSQL", CLASS, 20)
    assert told.engine_version.split(".")[0] == str(version) and writable
    assert (told.time_zone, zone) == ("Asia/Jakarta", "Asia/Jakarta")
    assert (told.dbinstance_description, told.pay_type, told.category) == (name, "Postpaid", "Basic")
    net = databases.client.describe_dbinstance_net_info(
        models.DescribeDBInstanceNetInfoRequest(dbinstance_id=made.id)
    ).body.dbinstance_net_infos.dbinstance_net_info
    assert told.connection_string in {door.connection_string for door in net}


def test_the_same_token_makes_no_second_instance(databases):
    token = unique("token")
    first = databases.create("sama", client_token=token)
    again = databases.create("sama", client_token=token)
    assert first.id == again.id
    databases.made.pop()


def test_an_instance_that_is_not_there_is_told_as_the_provider_expects(databases):
    def ask():
        databases.client.describe_dbinstance_attribute(
            models.DescribeDBInstanceAttributeRequest(dbinstance_id="pgm-tidakada")
        )

    assert refused(NOT_FOUND, ask).status_code == 404


def test_psql_and_psycopg_write_through_the_gateway_and_tls_ends_in_the_server(instance):
    code, text = instance.psql("select ssl, version from pg_stat_ssl where pid = pg_backend_pid()")
    assert (code, text) == (0, "t|TLSv1.3")
    with instance.connect(channel_binding="require") as session:
        session.execute("create table suara (tps int primary key, sah int not null)")
        with session.cursor().copy("copy suara from stdin") as copy:
            for tps in range(10_000):
                copy.write_row((tps, tps % 300))
    assert instance.ask("select count(*), sum(sah) from suara") == (10_000, 1_485_000)


def test_what_does_not_verify_does_not_connect(instance):
    code, text = instance.psql("select 1", sslmode="disable")
    assert code and "sslmode=require" in text, text
    code, text = instance.psql("select 1", host="tidak-ada.pg.rds.localhost")
    assert code and "unrecognized name" in text, text
    label = instance.attribute().connection_string.split(".")[0]
    code, text = instance.psql("select 1", host=f"{label}.pg.rds.elsewhere.test")
    assert code and "does not match host name" in text, text
    code, text = instance.psql("select 1", password="salah")
    assert code and "password authentication failed" in text, text


def test_the_privileged_account_is_no_superuser_and_makes_roles(instance):
    assert instance.ask("select rolsuper, rolcreaterole from pg_roles where rolname = current_user") == (
        False,
        True,
    )
    with instance.connect() as session:
        session.execute("create role pembaca")
        session.execute("drop role pembaca")
        for forbidden in (
            "alter system set fsync = off",
            "copy (select 1) to program 'id'",
            "select pg_read_file('/etc/passwd')",
            "create role penguasa superuser",
        ):
            with pytest.raises(psycopg.Error):
                session.execute(forbidden)


def test_who_leaves_the_white_list_loses_its_session_and_comes_in_no_more(instance):
    with instance.connect() as session:
        instance.allow("10.0.0.0/8")
        try:

            def ended():
                try:
                    session.execute("select 1")
                except psycopg.OperationalError:
                    return True

            until("the end of the session", ended, 10)
            code, text = instance.psql("select 1")
            assert code and "access denied" in text, text
        finally:
            instance.allow("127.0.0.1")
    until("the way in", lambda: instance.psql("select 1")[0] == 0, 10)


def test_a_new_password_counts_and_the_old_one_does_not(instance):
    instance.make_account("petugas", "Normal")
    try:
        assert instance.psql("select 1", user="petugas")[0] == 0
        instance.client.reset_account_password(
            models.ResetAccountPasswordRequest(
                dbinstance_id=instance.id, account_name="petugas", account_password="Rahasia-baru-9"
            )
        )
        until("the new password", lambda: instance.psql("select 1", user="petugas", password="Rahasia-baru-9")[0] == 0)
        assert instance.psql("select 1", user="petugas")[0]
    finally:
        instance.client.delete_account(
            models.DeleteAccountRequest(dbinstance_id=instance.id, account_name="petugas")
        )


@pytest.mark.parametrize("action", TERRAFORM_READ)
def test_each_read_of_the_terraform_provider_is_answered(cloud, instance, action):
    client = Clients(cloud, "http").rds()
    snake = {name.replace("_", "").lower(): name for name in dir(client)}
    call = getattr(client, snake[action.lower()])
    request = getattr(models, f"{action}Request")()
    # This one action calls it otherwise.
    setattr(request, "ins_name" if hasattr(request, "ins_name") else "dbinstance_id", instance.id)
    if hasattr(request, "region_id"):
        request.region_id = cloud.region
    body = call(request).body
    assert body.request_id
    json.dumps(body.to_map())


def test_tags_are_listed_as_they_were_put(instance):
    instance.client.tag_resources(
        models.TagResourcesRequest(
            region_id=instance.cloud.region,
            resource_type="INSTANCE",
            resource_id=[instance.id],
            tag=[models.TagResourcesRequestTag(key="unit", value="pemilu")],
        )
    )
    listed = instance.client.list_tag_resources(
        models.ListTagResourcesRequest(
            region_id=instance.cloud.region, resource_type="INSTANCE", resource_id=[instance.id]
        )
    ).body.tag_resources.tag_resource
    assert {(tag.tag_key, tag.tag_value) for tag in listed} == {("unit", "pemilu")}


def test_parameters_are_checked_take_effect_and_survive_a_restart(databases, instance):
    def modify(restart=False, **values):
        instance.client.modify_parameter(
            models.ModifyParameterRequest(
                dbinstance_id=instance.id, parameters=json.dumps(values), forcerestart=restart
            )
        )

    modify(statement_timeout="54321")
    until("the setting", lambda: instance.ask("select setting from pg_settings where name = 'statement_timeout'") == ("54321",))
    until("the setting in the API", lambda: instance.setting("statement_timeout") in ("54321", "54321ms"))
    for name, value in (("statement_timeout", "banana"), ("archive_command", "true"), ("no_such", "1")):
        with pytest.raises(AlibabaCloudException) as error:
            modify(**{name: value})
        assert 400 <= error.value.status_code < 500
    with instance.connect() as session:
        instance.client.restart_dbinstance(models.RestartDBInstanceRequest(dbinstance_id=instance.id))
        until("the restart", lambda: session.closed or gone(session))
    # The gateway holds a new connection until the server is back, unless the server itself says that it ends.
    instance.running()
    assert instance.ask("select setting from pg_settings where name = 'statement_timeout'") == ("54321",)


def test_an_extension_is_made_used_and_removed_through_the_api(instance):
    client = instance.client

    def listed():
        answer = client.describe_postgres_extensions(
            models.DescribePostgresExtensionsRequest(dbinstance_id=instance.id, dbname="app")
        ).body
        return (
            {it.name: it for it in answer.installed_extensions},
            {it.name: it for it in answer.uninstalled_extensions},
            answer.overview,
        )

    installed, offered, _ = listed()
    assert "pg_trgm" not in installed and "dblink" not in offered
    assert offered["pg_trgm"].default_version and not offered["pg_trgm"].installed_version

    def asked(name, database="app"):
        return dict(dbinstance_id=instance.id, dbnames=database, extensions=name)

    def create(name, **more):
        client.create_postgres_extensions(
            models.CreatePostgresExtensionsRequest(**asked(name, **more), account_name="app")
        )

    def delete(name):
        client.delete_postgres_extensions(models.DeletePostgresExtensionsRequest(**asked(name)))

    refused("InvalidDBName.NotFound", lambda: create("pg_trgm", database="tiada"))
    refused("InvalidExtensionName.NotFound", lambda: create("tiada"))
    refused("OperationDenied.NotSupported", lambda: create("dblink"))
    refused("InvalidExtensionName.NotFound", lambda: delete("pg_trgm"))

    create("pg_trgm,pg_stat_statements")
    until("the extensions", lambda: {"pg_trgm", "pg_stat_statements"} <= listed()[0].keys())
    there = listed()[0]["pg_trgm"]
    assert (there.owner, there.installed_version) == ("app", there.default_version)
    assert instance.ask("select similarity('pemilu', 'pemilu'), similarity('pemilu', 'xyz')") == (1, 0)
    assert instance.ask("select count(*) > 0 from pg_stat_statements") == (True,)
    client.update_postgres_extensions(models.UpdatePostgresExtensionsRequest(**asked("pg_trgm")))
    instance.running()

    with instance.connect() as session:
        session.execute("create table calon (nama text)")
        session.execute("create index calon_nama on calon using gin (nama gin_trgm_ops)")
        delete("pg_trgm")
        until("the refusal", lambda: "calon_nama" in (listed()[2] or {}).get("pg_trgm", ""))
        session.execute("drop table calon")
    delete("pg_trgm")
    until("its end", lambda: "pg_trgm" not in listed()[0])
    with instance.connect() as session, pytest.raises(psycopg.errors.UndefinedFunction):
        session.execute("select similarity('a', 'b')")


def gone(session):
    try:
        session.execute("select 1")
    except psycopg.OperationalError:
        return True
    return False


def test_a_larger_class_takes_effect_and_data_stays(instance):
    with instance.connect() as session:
        session.execute("create table if not exists tetap (n int)")
        session.execute("insert into tetap values (1)")
    before = instance.ask("show max_connections")
    instance.client.modify_dbinstance_spec(
        models.ModifyDBInstanceSpecRequest(
            dbinstance_id=instance.id, dbinstance_class=LARGER, dbinstance_storage=30, pay_type="Postpaid"
        )
    )
    until("the class", lambda: instance.attribute().dbinstance_class == LARGER)
    instance.running()
    assert instance.attribute().dbinstance_storage == 30
    assert int(instance.ask("show max_connections")[0]) > int(before[0])
    assert instance.ask("select count(*) from tetap") >= (1,)


def test_a_stopped_instance_serves_nobody_keeps_its_data_and_starts_again(instance):
    with instance.connect() as session:
        session.execute("create table if not exists tidur (n int)")
        session.execute("insert into tidur values (7)")
    instance.client.stop_dbinstance(
        models.StopDBInstanceRequest(dbinstance_id=instance.id, region_id=instance.cloud.region)
    )
    instance.becomes("Stopped")
    code, text = instance.psql("select 1")
    assert code, text
    refused(
        "OperationDenied.DBInstanceStatus",
        lambda: instance.client.restart_dbinstance(
            models.RestartDBInstanceRequest(dbinstance_id=instance.id)
        ),
    )
    instance.client.start_dbinstance(
        models.StartDBInstanceRequest(dbinstance_id=instance.id, region_id=instance.cloud.region)
    )
    instance.running()
    assert instance.ask("select n from tidur") == (7,)


def quiet_second():
    """A second about which nothing is committed, so that what is before and after is not a matter of microseconds."""
    time.sleep(1.1)
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    time.sleep(1.1)
    return now


def second(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def recoverable(of):
    return of.client.describe_local_available_recovery_time(
        models.DescribeLocalAvailableRecoveryTimeRequest(dbinstance_id=of.id, region=of.cloud.region)
    ).body


def archived(of, moment):
    """Waits until the archive reaches a moment."""
    until("the log in the archive", lambda: (recoverable(of).recovery_end_time or "") >= moment)


@pytest.mark.slow
def test_a_restore_to_a_second_has_what_was_committed_before_it_and_nothing_after(databases):
    source = databases.create()
    source.make_account()
    source.make_account("bekas", "Normal")
    source.make_database("app")
    with source.connect() as session:
        session.execute("create table catatan (n serial primary key, at timestamptz default clock_timestamp())")
        session.execute("insert into catatan default values")
        backup = source.back_up()
        assert backup.backup_status == "Success" and backup.backup_size > 0
        for _ in range(50):
            session.execute("insert into catatan default values")
        target = quiet_second()
        for _ in range(50):
            session.execute("insert into catatan default values")
        before, after = session.execute(
            "select count(*) filter (where at < %(at)s), count(*) filter (where at >= %(at)s) from catatan",
            {"at": target},
        ).fetchone()
        assert (before, after) == (51, 50)

    source.client.delete_account(models.DeleteAccountRequest(dbinstance_id=source.id, account_name="bekas"))
    archived(source, second(target))
    clone = source.clone(restore_time=second(target))
    clone.allow("127.0.0.1")
    count, last = clone.ask("select count(*), max(at) from catatan")
    print(f"{before} rows before the moment, {after} after it; the restored instance has {count}")
    assert count == before and last < target
    with clone.connect() as session:
        session.execute("insert into catatan default values")
    code, text = clone.psql("select 1", user="bekas")
    assert code and "authentication failed" in text, "who lost an account does not log in to the past"
    assert source.ask("select count(*) from catatan") == (101,), "the source is as it was"
    whole = source.clone(backup_id=backup.backup_id)
    whole.allow("127.0.0.1")
    assert whole.ask("select count(*) from catatan")[0] >= 1


def delete(instance, **how):
    instance.client.delete_dbinstance(models.DeleteDBInstanceRequest(dbinstance_id=instance.id, **how))
    until(f"the end of {instance.id}", lambda: instance.status() is None)


def released(databases):
    """The instances that were deleted and can be restored, by id."""
    listed = databases.client.describe_dbinstances(
        models.DescribeDBInstancesRequest(
            region_id=databases.cloud.region, dbinstance_status="Released", page_size=100
        )
    ).body.items.dbinstance
    return {item.dbinstance_id: item for item in listed}


@pytest.mark.slow
def test_a_deleted_instance_comes_back_from_the_backup_that_was_kept(databases):
    name = unique("hilang")
    gone = databases.create(name, dbinstance_class=LARGER)
    gone.make_account()
    gone.make_database("app")
    with gone.connect() as session:
        session.execute("create table arsip (n int primary key)")
        session.execute("insert into arsip select generate_series(1, 1000)")
        backup = gone.back_up()
        session.execute("insert into arsip values (0)")
    assert gone.id not in released(databases)
    delete(gone)
    kept = released(databases)[gone.id]
    assert (kept.dbinstance_status, kept.dbinstance_description) == ("Released", name) and kept.destroy_time
    assert gone.id not in databases.ids(), "what is gone is not listed among what is there"
    assert not recoverable(gone).recovery_end_time, "no log is kept"
    # The one before it goes within a minute.
    assert backup.backup_id in [it.backup_id for it in gone.backups() if it.is_avail]
    back = gone.clone(backup_id=backup.backup_id, dbinstance_class=None)
    assert back.attribute().dbinstance_class == LARGER
    back.allow("127.0.0.1")
    # The account and its password are as they were, too.
    assert back.ask("select count(*), min(n) from arsip") == (1000, 1)


@pytest.mark.slow
def test_a_deleted_instance_of_which_all_is_kept_comes_back_as_it_was_at_a_second(databases):
    gone = databases.create()
    gone.make_account()
    gone.make_database("app")
    gone.back_up()
    with gone.connect() as session:
        session.execute("create table arsip (n int primary key)")
        session.execute("insert into arsip values (1)")
        target = second(quiet_second())
        session.execute("insert into arsip values (2)")
    archived(gone, target)
    delete(gone, released_keep_policy="All")
    assert recoverable(gone).recovery_end_time >= target
    back = gone.clone(restore_time=target)
    back.allow("127.0.0.1")
    assert back.ask("select array_agg(n) from arsip") == ([1],)
    with back.connect() as session:
        session.execute("insert into arsip values (3)")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_table_comes_back_as_it_was_at_a_second_and_what_does_not_says_why(databases):
    source = databases.create()
    source.make_account()
    for name in ("app", "app_lama"):
        source.make_database(name)
    source.back_up()
    with source.connect() as session:
        session.execute("create table jual (n serial primary key, nilai int not null)")
        session.execute("create index on jual (nilai)")
        session.execute("insert into jual (nilai) select 7 from generate_series(1, 500)")
        target = second(quiet_second())
        session.execute("update jual set nilai = 8")
        session.execute("create table baru (n int)")
        session.execute("drop table jual")
    archived(source, target)
    asked = []

    def restore(table, to="app_lama"):
        """What becomes of it, as the API tells it."""
        meta = [{"type": "db", "name": "app", "newname": to,
                 "tables": [{"type": "table", "name": table, "newname": table}]}]  # fmt: skip
        request = models.RestoreTableRequest(
            dbinstance_id=source.id, restore_time=target, table_meta=json.dumps(meta)
        )
        source.client.restore_table(request)
        asked.append(table)
        # One at a time: another for the same names would take what this one brings for its own.
        refused("OperationDenied.DBInstanceStatus", lambda: source.client.restore_table(request))

        def ended():
            tasks = source.client.describe_tasks(
                models.DescribeTasksRequest(dbinstance_id=source.id, task_action="RestoreTable")
            ).body.items.task_progress_info
            assert len(tasks) == len(asked)
            return tasks[0] if tasks[0].status != "Processing" else None

        return until("the end of the task", ended, 300)

    done = restore("jual")
    assert (done.status, done.dbname) == ("Finished", "app_lama"), done
    rows = "select count(*), min(nilai), max(nilai) from jual"
    assert source.ask(rows, database="app_lama") == (500, 7, 7)
    with source.connect("app_lama") as session:
        # It is whole: its sequence goes on (recovery skips some of it), and its owner is the database's.
        session.execute("insert into jual (nilai) values (9)")
        assert session.execute("select max(n) from jual").fetchone()[0] > 500
        session.execute("alter table jual add column catatan text")
    assert source.ask("select to_regclass('public.jual')") == (None,), "where it was dropped it is not"
    again = restore("jual")
    assert (again.status, again.task_error_message) == (
        "Failed",
        "A table of that name is in the database already.",
    )
    assert source.ask(rows, database="app_lama") == (501, 7, 9), "what is there is as it was"
    never = restore("baru")
    assert (never.status, never.task_error_message) == ("Failed", "A table was not there then.")
    assert not list(source.cloud.data_dir.glob("rds/*/instances/rt-*")), "a scratch member was left"


@pytest.mark.slow
def test_a_table_comes_back_as_it_was_into_another_database_and_under_no_other_name(databases):
    source = databases.create()
    source.make_account()
    for name in ("app", "app_lama"):
        source.make_database(name)
    with source.connect() as session:
        session.execute("create table jual (n int primary key)")
        session.execute("create table lain (n int primary key)")
        session.execute("insert into jual select generate_series(1, 500)")
        backup = source.back_up()
        session.execute("delete from jual where n > 3")

    def restore(to, table="jual", new_name="jual"):
        meta = [{"type": "db", "name": "app", "newname": to,
                 "tables": [{"type": "table", "name": table, "newname": new_name}]}]  # fmt: skip
        source.client.restore_table(
            models.RestoreTableRequest(
                dbinstance_id=source.id, backup_id=backup.backup_id, table_meta=json.dumps(meta)
            )
        )

    refused("InvalidParameter.TableMeta", lambda: restore("app"))
    refused("InvalidParameter.TableMeta", lambda: restore("app_lama", new_name="jual_lama"))
    restore("app_lama")

    def back():
        return source.ask("select to_regclass('public.jual') is not null", database="app_lama")[0]

    until("the table", back, 300)
    assert source.ask("select count(*), max(n) from jual", database="app_lama") == (500, 500)
    assert source.ask("select count(*) from jual") == (3,), "what is there is as it was"
    assert source.ask("select to_regclass('public.lain')", database="app_lama") == (None,)


@pytest.mark.slow
def test_a_read_only_instance_follows_says_how_far_and_takes_no_writes(databases, instance):
    made = instance.client.create_read_only_dbinstance(
        models.CreateReadOnlyDBInstanceRequest(
            region_id=instance.cloud.region,
            dbinstance_id=instance.id,
            dbinstance_class=instance.attribute().dbinstance_class,
            dbinstance_storage=instance.attribute().dbinstance_storage,
            engine_version=instance.attribute().engine_version,
            zone_id=instance.attribute().zone_id,
            pay_type="Postpaid",
        )
    ).body
    assert made.dbinstance_id.startswith("pgr-")
    reader = databases.adopt(made.dbinstance_id)
    reader.allow("127.0.0.1")
    with instance.connect() as session:
        session.execute("create table if not exists salinan (n int)")
        session.execute("insert into salinan values (42)")
    until("the row", lambda: table_of(reader), 60)
    with reader.connect() as session, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute("insert into salinan values (1)")
    delay = instance.client.describe_read_dbinstance_delay(
        models.DescribeReadDBInstanceDelayRequest(dbinstance_id=instance.id, read_instance_id=reader.id)
    ).body
    assert delay.delay_time is not None and 0 <= delay.delay_time < 60
    ids = instance.attribute().read_only_dbinstance_ids.read_only_dbinstance_id
    assert reader.id in {it.dbinstance_id for it in ids}
    refused(
        "OperationDenied.ReadDBInstance",
        lambda: instance.client.delete_dbinstance(
            models.DeleteDBInstanceRequest(dbinstance_id=instance.id)
        ),
    )
    reader.remove()


def table_of(reader):
    try:
        return reader.ask("select n from salinan") == (42,)
    except psycopg.errors.UndefinedTable:
        return False


def test_protection_holds_until_it_is_taken_off(databases):
    made = databases.create(deletion_protection=True)
    delete = models.DeleteDBInstanceRequest(dbinstance_id=made.id)
    refused("OperationDenied.DeletionProtection", lambda: made.client.delete_dbinstance(delete))
    made.client.modify_dbinstance_deletion_protection(
        models.ModifyDBInstanceDeletionProtectionRequest(
            dbinstance_id=made.id, deletion_protection=False
        )
    )
    made.remove()


def test_a_deleted_instance_ends_its_sessions_and_is_known_no_more(databases):
    made = databases.create()
    made.make_account()
    place = made.place("postgres")
    with made.connect("postgres") as session:
        made.remove()
        until("the end of the session", lambda: gone(session), 10)
    with pytest.raises(psycopg.OperationalError, match="unrecognized name"):
        psycopg.connect(**place, password=PASSWORD)
    assert made.id not in databases.ids()
    refused(NOT_FOUND, lambda: made.client.delete_dbinstance(models.DeleteDBInstanceRequest(dbinstance_id=made.id)))


@pytest.mark.slow
def test_many_instances_are_made_at_once_and_each_is_its_own(databases):
    made, failed = [], []

    def make():
        try:
            one = databases.create()
            one.make_account()
            made.append((one, one.ask("select system_identifier::text from pg_control_system()", database="postgres")))
        except Exception as error:  # noqa: BLE001 (told below)
            failed.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
    assert len({identifier for _, identifier in made}) == len(threads)
