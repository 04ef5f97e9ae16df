//! Clusters that Patroni keeps, over REST APIs that are a few lines of this file.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::Secret;
use engine::Caller;
use engine::meter;
use engine::task::Runner;
use rds::gateway::{Book, Route, Routes};
use rds::patroni::{Access, Cluster, Seat, Watch};
use serde_json::{Value, json};
use store::params;
use terms::clauses::DataClass;
use testkit::TestCloud;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::control;
use crate::foreign::{ID, OF_ONE};
use crate::stage;

/// What the members of a cluster agree on.
#[derive(Default)]
struct Agreed {
    /// Who leads; empty for nobody.
    leader: String,
    /// What was asked of whom, besides how they are.
    asked: Vec<String>,
    /// Switch-overs are refused.
    stubborn: bool,
    /// Nobody answers.
    silent: bool,
}

/// Two servers, `pg1` and `pg2`.
struct Cast {
    agreed: Arc<Mutex<Agreed>>,
    doors: BTreeMap<&'static str, u16>,
    tasks: Vec<JoinHandle<()>>,
}

impl Cast {
    async fn new() -> Self {
        let agreed = Arc::new(Mutex::new(Agreed { leader: "pg1".to_owned(), ..Agreed::default() }));
        let mut cast = Self { agreed, doors: BTreeMap::new(), tasks: Vec::new() };
        for name in ["pg1", "pg2"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            cast.doors.insert(name, listener.local_addr().unwrap().port());
            let agreed = Arc::clone(&cast.agreed);
            cast.tasks.push(tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(answer(stream, name, Arc::clone(&agreed)));
                }
            }));
        }
        cast
    }

    fn set(&self, change: impl FnOnce(&mut Agreed)) {
        change(&mut self.agreed.lock().unwrap());
    }

    fn asked(&self) -> Vec<String> {
        self.agreed.lock().unwrap().asked.clone()
    }

    fn cluster(&self, account: base::AccountId) -> Cluster {
        let seat = |(name, site): (&'static str, &str)| Seat {
            name: name.to_owned(),
            api: format!("http://127.0.0.1:{}", self.doors[name]),
            site: site.to_owned(),
        };
        Cluster {
            name: "gudang".to_owned(),
            account,
            data_class: DataClass::Internal,
            class: "pg.n2.2c.2m".to_owned(),
            storage_gib: 20,
            members: [("pg1", "jkt-a"), ("pg2", "jkt-b")].map(seat).to_vec(),
            access: Access {
                login: Some(("awan".to_owned(), Secret::new("rahasia".to_owned()))),
                ..Access::default()
            },
        }
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Takes one request and answers it as a member does.
async fn answer(mut stream: TcpStream, name: &str, agreed: Arc<Mutex<Agreed>>) {
    let mut request = Vec::new();
    let (head, length) = loop {
        let mut bytes = [0; 4096];
        let Ok(count @ 1..) = stream.read(&mut bytes).await else { return };
        request.extend_from_slice(&bytes[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        break (head.to_owned(), length.map_or(0, |length| length.parse::<usize>().unwrap()));
    };
    let body = head.len() + 4;
    while request.len() < body + length {
        let mut bytes = [0; 4096];
        let Ok(count @ 1..) = stream.read(&mut bytes).await else { return };
        request.extend_from_slice(&bytes[..count]);
    }
    let sent: Value = serde_json::from_slice(&request[body..]).unwrap_or_default();
    let Some((status, text)) = say(name, &head, &sent, &mut agreed.lock().unwrap()) else { return };
    let answer = format!("HTTP/1.1 {status} So\r\ncontent-length: {}\r\n\r\n{text}", text.len());
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn say(name: &str, head: &str, sent: &Value, agreed: &mut Agreed) -> Option<(u16, String)> {
    if agreed.silent {
        return None;
    }
    let line = head.lines().next().unwrap();
    let told = |text: &str| Some((200, text.to_owned()));
    if line.starts_with("GET /cluster ") {
        let members = ["pg1", "pg2"].map(|member| member_of(agreed, member));
        return told(&json!({ "members": members, "scope": "gudang" }).to_string());
    }
    if line.starts_with("GET /patroni ") {
        return told(&json!({ "server_version": 150_018, "state": "running" }).to_string());
    }
    // "awan:rahasia"
    if !head.contains("authorization: Basic YXdhbjpyYWhhc2lh") {
        return Some((401, "no auth header received".to_owned()));
    }
    agreed.asked.push(format!("{name} {} {sent}", line.split(' ').nth(1).unwrap()));
    if line.starts_with("POST /switchover ") {
        if agreed.stubborn {
            return Some((412, "switchover is not possible: no good candidates".to_owned()));
        }
        agreed.leader = sent["candidate"].as_str().unwrap().to_owned();
        return told("Successfully switched over");
    }
    assert!(line.starts_with("POST /restart "), "{line}");
    told("restarted successfully")
}

fn member_of(agreed: &Agreed, name: &str) -> Value {
    let port = if name == "pg1" { 5441 } else { 5442 };
    let mut member = json!({ "name": name, "host": "127.0.0.1", "port": port, "timeline": 3 });
    if agreed.leader == name {
        (member["role"], member["state"]) = ("leader".into(), "running".into());
    } else {
        (member["role"], member["state"]) = ("replica".into(), "streaming".into());
        member["lag"] = 0.into();
    }
    member
}

/// A cloud that watches the cluster.
struct Play {
    test: TestCloud,
    tenant: Caller,
    cast: Cast,
    book: Arc<Book>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Play {
    async fn new() -> Self {
        let (test, tenant) = stage::cloud();
        let cast = Cast::new().await;
        let clusters = [cast.cluster(tenant.account)];
        let (stop, stopped) = watch::channel(false);
        let book = Book::new(test.cloud.db.clone());
        tokio::spawn(Arc::clone(&book).run(stopped.clone()));
        let running = start(&test, &clusters, stopped).await;
        Self { test, tenant, cast, book, stop, running }
    }

    /// As if the process had been started again with another configuration.
    async fn restart(&mut self, clusters: &[Cluster]) {
        self.running.abort();
        let _ = (&mut self.running).await;
        self.running = start(&self.test, clusters, self.stop.subscribe()).await;
    }

    async fn call(&self, action: &str, params: &[(&str, &str)]) -> Value {
        let answer = stage::call(&self.test.cloud, &self.tenant, action, params).await;
        answer.unwrap_or_else(|error| panic!("{action}: {error:?}"))
    }

    async fn refused(&self, action: &str, params: &[(&str, &str)]) -> (String, String) {
        match stage::call(&self.test.cloud, &self.tenant, action, params).await {
            Ok(answer) => panic!("{action} was answered: {answer}"),
            Err(error) => (error.code().to_owned(), error.text().to_owned()),
        }
    }

    async fn ids(&self) -> Vec<String> {
        let listed = self.call("DescribeDBInstances", &[("RegionId", "ap-southeast-5")]).await;
        control::field(&listed["Items"]["DBInstance"], "DBInstanceId")
    }

    /// Waits until it is so; gives what was found.
    async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut(&Self) -> Option<T>) -> T {
        for _ in 0..1000 {
            if let Some(found) = look(self).await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what} did not come");
    }

    /// The instance that the cluster is.
    async fn adopted(&self) -> String {
        self.until("the instance", async |play| play.ids().await.pop()).await
    }

    async fn attribute(&self, id: &str) -> Value {
        let shown = self.call("DescribeDBInstanceAttribute", &[("DBInstanceId", id)]).await;
        shown["Items"]["DBInstanceAttribute"][0].clone()
    }

    /// Its nodes as `Master pg1`, `Slave pg2`.
    async fn nodes(&self, id: &str) -> Vec<String> {
        let told = self.call("DescribeDBInstanceHAConfig", &[("DBInstanceId", id)]).await;
        let nodes = &told["HostInstanceInfos"]["NodeInfo"];
        let kinds = control::field(nodes, "NodeType");
        kinds.iter().zip(control::field(nodes, "NodeId")).map(|(a, b)| format!("{a} {b}")).collect()
    }

    /// Waits until the gateway leads to that port; gives the version of the route.
    async fn leads_to(&self, port: u16) -> u64 {
        let look = async |play: &Self| {
            play.book.refresh().await;
            match play.book.route("gudang") {
                Route::To { address, version, .. } if address.port() == port => Some(version),
                _ => None,
            }
        };
        self.until(&format!("the route to {port}"), look).await
    }

    /// Waits until everything that was asked for is done or given up.
    async fn settled(&self, id: &str) {
        let look = async |play: &Self| {
            (play.attribute(id).await["DBInstanceStatus"] == "Running").then_some(())
        };
        self.until("its rest", look).await;
    }

    async fn rows(&self, sql: &'static str) -> Vec<String> {
        let read = move |tx: &mut store::Tx<'_>| tx.query(sql, params![], |row| row.get(0));
        self.test.cloud.db.read(read).await.unwrap()
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        self.running.abort();
        self.stop.send_replace(true);
    }
}

async fn start(
    test: &TestCloud,
    clusters: &[Cluster],
    stopped: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let runner = Runner::new(Arc::clone(&test.cloud));
    let runner = runner.with_one(Watch::new(clusters), &()).await.unwrap();
    tokio::spawn(runner.run(stopped))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_an_instance_and_the_gateway_follows_its_leader() {
    let play = Play::new().await;
    let id = play.adopted().await;
    let first = play.leads_to(5441).await;
    let shown = play.attribute(&id).await;
    for (field, value) in [
        ("DBInstanceStatus", "Running"),
        ("Category", "HighAvailability"),
        ("Engine", "PostgreSQL"),
        ("EngineVersion", "15.0"),
        ("CurrentKernelVersion", "15.18"),
        ("ConnectionString", "gudang.pg.rds.localhost"),
        ("ZoneId", "ap-southeast-5a"),
        ("SecurityIPList", "127.0.0.1"),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    assert!(control::text(&shown["Tips"]).contains("Patroni"), "{shown}");
    assert_eq!(play.nodes(&id).await, ["Master pg1", "Slave pg2"]);
    let net = play.call("DescribeDBInstanceNetInfo", &[("DBInstanceId", &id)]).await;
    let hosts = control::field(&net["DBInstanceNetInfos"]["DBInstanceNetInfo"], "ConnectionString");
    assert_eq!(hosts, ["gudang.pg.rds.localhost"], "the operator's own door is not told");

    play.cast.set(|agreed| agreed.leader.clear());
    let held = async |play: &Play| {
        play.book.refresh().await;
        matches!(play.book.route("gudang"), Route::Hold { .. }).then_some(())
    };
    play.until("the hold", held).await;
    play.cast.set(|agreed| "pg2".clone_into(&mut agreed.leader));
    assert!(play.leads_to(5442).await > first, "sessions with the old leader end");
    assert_eq!(play.nodes(&id).await, ["Master pg2", "Slave pg1"]);

    // Nobody answers: the server that led last is the best that is known.
    play.cast.set(|agreed| agreed.silent = true);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    play.leads_to(5442).await;
    assert_eq!(play.rows("SELECT action FROM audit WHERE action = 'Failover'").await.len(), 1);
    assert_eq!(play.rows("SELECT instance FROM rds_member").await, Vec::<String>::new());
    assert_eq!(
        play.rows("SELECT id FROM task WHERE kind = 'rds.instance'").await,
        Vec::<String>::new()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_over_and_a_restart_are_passed_on() {
    let play = Play::new().await;
    let id = play.adopted().await;
    play.leads_to(5441).await;
    let this = ("DBInstanceId", id.as_str());
    let refused = play.refused("SwitchDBInstanceHA", &[this, ("NodeId", "jkt-b")]).await;
    assert_eq!(refused.0, "InvalidParameter.NodeId");

    play.call("SwitchDBInstanceHA", &[this, ("NodeId", "pg2")]).await;
    assert_eq!(play.attribute(&id).await["DBInstanceStatus"], "GuardSwitching");
    play.settled(&id).await;
    play.leads_to(5442).await;
    assert_eq!(play.nodes(&id).await, ["Master pg2", "Slave pg1"]);
    let switch = json!({ "leader": "pg1", "candidate": "pg2" });
    assert_eq!(play.cast.asked(), [format!("pg1 /switchover {switch}")]);

    play.call("RestartDBInstance", &[this]).await;
    play.settled(&id).await;
    assert_eq!(play.cast.asked()[1..], ["pg1 /restart {}", "pg2 /restart {}"], "the leader last");

    play.cast.set(|agreed| agreed.stubborn = true);
    play.call("SwitchDBInstanceHA", &[this, ("NodeId", "pg1")]).await;
    play.settled(&id).await;
    let tips = control::text(&play.attribute(&id).await["Tips"]);
    assert!(tips.contains("SwitchDBInstanceHA was not carried out"), "{tips}");
    assert_eq!(play.nodes(&id).await, ["Master pg2", "Slave pg1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_white_list_is_held_at_the_gateway_and_what_it_has_not_is_refused() {
    let play = Play::new().await;
    let id = play.adopted().await;
    play.leads_to(5441).await;
    for (action, params) in OF_ONE {
        let params: Vec<_> =
            params.iter().map(|(k, v)| (*k, if *v == ID { id.as_str() } else { *v })).collect();
        match stage::call(&play.test.cloud, &play.tenant, action, &params).await {
            Ok(_) => assert!(
                ["Describe", "Tag", "Untag", "AddTags", "RemoveTags", "Migrate", "Restart"]
                    .iter()
                    .any(|word| action.starts_with(word))
                    || ["ModifySecurityIps", "ModifyDBInstanceDescription", "ModifyResourceGroup"]
                        .contains(&action),
                "{action} was carried out"
            ),
            Err(error) => {
                let known = ["OperationDenied.NotSupported", "OperationDenied.DBInstanceStatus"];
                assert!(
                    known.contains(&error.code()) || action == "SwitchDBInstanceHA",
                    "{action}: {error:?}"
                );
                assert!(!error.text().contains(error.code()), "{action}: {error:?}");
            }
        }
    }
    let (code, text) = play.refused("DeleteDBInstance", &[("DBInstanceId", &id)]).await;
    assert_eq!(code, "OperationDenied.NotSupported");
    assert!(text.contains("configuration"), "{text}");
    play.settled(&id).await;
    play.leads_to(5441).await;
    let Route::To { allow, .. } = play.book.route("gudang") else { panic!("no route") };
    assert!(
        allow.lets_in([203, 0, 113, 7].into()) && !allow.lets_in("2001:db8::7".parse().unwrap())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_counted_and_on_record_until_the_configuration_has_it_no_more() {
    let mut play = Play::new().await;
    let account = play.tenant.account;
    let id = play.adopted().await;
    let levels = async |play: &Play| {
        let read = move |tx: &mut store::Tx<'_>| meter::levels(tx, account);
        let levels = play.test.cloud.db.read(read).await.unwrap();
        let levels = levels.into_iter().map(|level| (level.meter, level.quantity));
        levels.collect::<BTreeMap<_, _>>()
    };
    let expected = |of: [(&str, i64); 3]| BTreeMap::from(of.map(|(k, v)| (k.to_owned(), v)));
    assert_eq!(
        levels(&play).await,
        expected([("rds.cpu", 4), ("rds.memory", 8), ("rds.storage", 40)])
    );
    let placed = play.rows("SELECT public FROM audit WHERE action = 'AdoptDBInstance'").await;
    assert!(placed[0].contains("jkt-a") && placed[0].contains("jkt-b"), "{placed:?}");

    // Another size, and a server that moved: the same instance.
    let mut other = play.cast.cluster(account);
    other.storage_gib = 30;
    "jkt-c".clone_into(&mut other.members[1].site);
    play.restart(&[other]).await;
    let moved = async |play: &Play| {
        let zones = play.attribute(&id).await["SlaveZones"]["SlaveZone"].to_string();
        zones.contains("ap-southeast-5c").then_some(())
    };
    play.until("the other zone", moved).await;
    assert_eq!(play.ids().await, std::slice::from_ref(&id));
    assert_eq!(levels(&play).await["rds.storage"], 60);

    play.restart(&[]).await;
    play.until("its end", async |play| play.ids().await.is_empty().then_some(())).await;
    assert_eq!(
        levels(&play).await,
        expected([("rds.cpu", 0), ("rds.memory", 0), ("rds.storage", 0)])
    );
    let left = stage::rows_of(&play.test.cloud, &id).await;
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(play.rows("SELECT name FROM rds_patroni_member").await, Vec::<String>::new());
    play.book.refresh().await;
    assert_eq!(play.book.route("gudang"), Route::Unknown);
    let gone = play.rows("SELECT public FROM audit WHERE action = 'ReleaseDBInstance'").await;
    assert!(gone[0].contains("-1") && gone[0].contains("jkt-c"), "{gone:?}");
    assert_eq!(play.cast.asked(), Vec::<String>::new(), "no server was asked for anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_that_forbids_the_place_keeps_it_out_and_says_so_once() {
    let (test, tenant) = stage::cloud();
    let cast = Cast::new().await;
    control::bind(&test, tenant.account, DataClass::Internal, (&["jkt-a"], 1));
    let (stop, stopped) = watch::channel(false);
    let running = start(&test, &[cast.cluster(tenant.account)], stopped).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let read = |tx: &mut store::Tx<'_>| {
        let instances = tx.query("SELECT id FROM rds_instance", &[], |row| row.get::<String>(0))?;
        let sql = "SELECT public FROM audit WHERE action = 'AdoptDBInstance'";
        Ok::<_, store::Error>((instances, tx.query(sql, &[], |row| row.get::<String>(0))?))
    };
    let (instances, refusals) = test.cloud.db.read(read).await.unwrap();
    assert_eq!(instances, Vec::<String>::new());
    assert!(refusals.len() == 1 && refusals[0].contains("jkt-b"), "{refusals:?}");
    running.abort();
    stop.send_replace(true);
}
