"""MariaDB instances through the current Python SDK and PyMySQL: from creation to deletion. There is no gateway before
them: clients come to the port of the server itself."""

import pymysql
import pytest
from alibabacloud_rds20140815 import models
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

from databases import PASSWORD, Databases, until
from support import Clients, unique

CLASS = "mariadb.n2.2c.1m"
DATABASE = "toko"


def newest(databases):
    """The newest version that runs here; fails in a sentence where none does."""
    try:
        return databases.newest("MariaDB")
    except AssertionError:
        pytest.fail("no MariaDB runs in this cloud; `awan engine install mariadb` installs one")


def connect(instance, user="app", password=PASSWORD, **more):
    net = instance.client.describe_dbinstance_net_info(
        models.DescribeDBInstanceNetInfoRequest(dbinstance_id=instance.id)
    ).body.dbinstance_net_infos.dbinstance_net_info
    how = {
        "ssl_ca": instance.cloud.ca_cert,
        "ssl_verify_cert": True,
        "ssl_verify_identity": True,
        "database": DATABASE,
        **more,
    }
    port = int(net[0].port)
    return pymysql.connect(
        host="127.0.0.1", port=port, user=user, password=password, autocommit=True, connect_timeout=30, **how
    )


def ask(session, sql):
    with session.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


@pytest.fixture(scope="module")
def databases(cloud):
    all = Databases(cloud, Clients(cloud, "http").rds())
    yield all
    all.remove_all()
    assert all.ids().isdisjoint(instance.id for instance in all.made)


@pytest.fixture(scope="module")
def instance(databases):
    """An instance with a privileged account, one that only reads, and a database with two rows."""
    made = databases.client.create_dbinstance(
        models.CreateDBInstanceRequest(
            region_id=databases.cloud.region,
            engine="MariaDB",
            engine_version=newest(databases),
            dbinstance_class=CLASS,
            dbinstance_storage=20,
            dbinstance_net_type="Intranet",
            dbinstance_description=unique("db"),
            pay_type="Postpaid",
            security_iplist="127.0.0.1",
            client_token=unique("token"),
        )
    ).body
    made = databases.adopt(made.dbinstance_id)
    made.make_account()
    made.make_account("pembaca", "Normal")
    made.client.create_database(
        models.CreateDatabaseRequest(dbinstance_id=made.id, dbname=DATABASE, character_set_name="utf8mb4")
    )
    made.client.grant_account_privilege(
        models.GrantAccountPrivilegeRequest(
            dbinstance_id=made.id, account_name="pembaca", dbname=DATABASE, account_privilege="ReadOnly"
        )
    )
    until("the database", lambda: made.database(DATABASE).dbstatus == "Running")
    with connect(made) as session:
        ask(session, "create table jual (id int primary key, jumlah int not null)")
        ask(session, "insert into jual values (1, 10), (2, 20)")
    return made


def test_clients_come_over_tls_to_the_servers_own_port(instance):
    with connect(instance) as session:
        assert ask(session, "select sum(jumlah) from jual") == ((30,),)
        ((_, version),) = ask(session, "show status like 'Ssl_version'")
        assert version == "TLSv1.3"
    assert instance.attribute().engine == "MariaDB"
    with pytest.raises(pymysql.Error):
        pymysql.connect(
            host="127.0.0.1",
            port=int(instance.attribute().port),
            user="app",
            password=PASSWORD,
            ssl_disabled=True,
        )
    with pytest.raises(pymysql.Error, match="Access denied"):
        connect(instance, password="salah")


def test_who_may_read_does_not_write(instance):
    with connect(instance, "pembaca") as session:
        assert ask(session, "select count(*) from jual") == ((2,),)
        with pytest.raises(pymysql.Error, match="denied"):
            ask(session, "insert into jual values (4, 40)")
        with pytest.raises(pymysql.Error, match="denied"):
            ask(session, "select * from mysql.global_priv")


def test_who_leaves_the_white_list_loses_its_session_and_comes_in_no_more(instance):
    session = connect(instance)
    instance.allow("10.0.0.0/8,2001:db8::/32")
    try:

        def ended():
            try:
                ask(session, "select 1")
            except pymysql.Error:
                return True
            return False

        until("the end of the session", ended)
        with pytest.raises(pymysql.Error):
            connect(instance)
    finally:
        instance.allow("127.0.0.1")

    def let_in():
        try:
            return connect(instance)
        except pymysql.Error:
            return None

    with until("a session", let_in) as session:
        assert ask(session, "select count(*) from jual") == ((2,),)


def test_a_clone_has_what_its_backup_has_and_goes_its_own_way(databases, instance):
    backup = instance.back_up()
    with connect(instance) as session:
        ask(session, "insert into jual values (3, 30)")
    clone = instance.clone(backup_id=backup.backup_id, dbinstance_class=CLASS)
    # Nobody's white list is copied: the machine itself may come.
    with connect(clone) as session:
        assert ask(session, "select id from jual order by id") == ((1,), (2,))
        ask(session, "insert into jual values (9, 90)")
    with connect(instance) as session:
        ask(session, "delete from jual where id = 3")
        assert ask(session, "select id from jual order by id") == ((1,), (2,))


def test_no_instance_is_taken_back_to_a_moment(instance):
    with pytest.raises(AlibabaCloudException) as error:
        instance.clone(restore_time="2026-01-02T03:04:05Z", dbinstance_class=CLASS)
    assert error.value.code == "InvalidEngine.NotSupported", error.value
