//! Random histories through the actions, the rating task and the database: what is billed is what the
//! usage costs when the whole month is computed at once, whatever repeats, delays, clock steps and crashes
//! it came in.
//!
//! Many accounts share a world, and so its clock and its crashes; each is a history of its own, with its
//! own agreements and usage. What was used is noted beside the cloud, naively; only levels in worlds whose
//! clock is set back are taken from the usage that the cloud lists, because how long something existed is
//! then a matter of definition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use base::AccountId;
use engine::meter::{self, Meters};
use terms::prices::{self, Period, Tier};
use terms::{InForce, PriceBook};

use crate::world::{DAY, DECEMBER, HOUR, NOVEMBER, World, book, price};

/// Where a history begins: three days before a month ends.
const BEGIN: i64 = DECEMBER - 3 * DAY;
const RESOURCES: [&str; 2] = ["acs:oss:*:1:a", "acs:oss:*:1:b"];

/// Numbers that a seed repeats.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn upto(&mut self, limit: i64) -> i64 {
        self.below(limit.unsigned_abs() + 1).cast_signed()
    }

    fn book(&mut self) -> PriceBook {
        let size = 1 + self.upto(40);
        let free = self.upto(60);
        let tiers = [(Some(free + 1 + self.upto(300)), self.upto(9000)), (None, self.upto(9000))];
        let mut book = book();
        book.prices[0] = price("oss.requests", "PutRequest", size, free, &tiers);
        book.prices[1].tiers = vec![
            Tier { up_to: Some(1 + self.upto(900_000)), price: self.upto(50) },
            Tier { up_to: None, price: self.upto(50) },
        ];
        book
    }
}

/// What an account used, as a naive witness noted it: (resource, meter, hour) → quantity.
type Noted = BTreeMap<(String, &'static str, i64), i64>;

/// One event of an outside meter.
#[derive(Clone)]
struct Event {
    id: String,
    account: u64,
    resource: &'static str,
    start: i64,
    quantity: i64,
}

struct Histories {
    seed: u64,
    world: World,
    dice: Dice,
    now: i64,
    noted: BTreeMap<u64, Noted>,
    /// Level and since when, for worlds whose clock only goes forward.
    levels: BTreeMap<(u64, &'static str), (i64, i64)>,
    /// Levels as far as they are told to the cloud.
    told: BTreeMap<(u64, &'static str), i64>,
    sent: Vec<Event>,
    backwards: bool,
}

impl Histories {
    fn new(seed: u64, accounts: u64, backwards: bool) -> Self {
        let (world, mut dice) = (World::in_memory(), Dice(seed));
        let mut noted = BTreeMap::new();
        for account in 1..=accounts {
            // Some have no agreement at first, some a second and a third, also within an hour.
            let mut from = BEGIN - 10 * DAY + dice.upto(1) * (10 * DAY + 7 * HOUR);
            for _ in 0..=dice.below(3) {
                world.releases.amend(account, from, dice.book());
                from = from.max(BEGIN) + HOUR * (1 + dice.upto(40)) + dice.upto(1) * 1800;
            }
            noted.insert(account, Noted::new());
        }
        let (levels, told) = Default::default();
        Self { seed, world, dice, now: BEGIN, noted, levels, told, sent: Vec::new(), backwards }
    }

    /// Moves the clock: mostly on, by minutes or hours; sometimes not at all, a day, or back.
    fn step_clock(&mut self) {
        let step = match self.dice.below(20) {
            0 => 0,
            1 => DAY,
            2 | 3 if self.backwards => -self.dice.upto(5 * HOUR),
            4..=9 => self.dice.upto(600),
            _ => self.dice.upto(3 * HOUR),
        };
        self.now += step;
        self.world.at(self.now);
    }

    async fn use_something(&mut self) {
        let mut meters = Meters::default();
        let accounts: Vec<u64> = self.noted.keys().copied().collect();
        for account in accounts {
            let resource = RESOURCES[self.dice.below(2) as usize];
            let id = AccountId::new(account);
            match self.dice.below(4) {
                0 => {
                    let quantity = self.dice.upto(40);
                    meters.count(id, resource, "oss.requests", quantity);
                    self.note(account, resource, "oss.requests", self.now, quantity);
                }
                1 => {
                    let before = self.told.entry((account, resource)).or_default();
                    let change = if *before > 0 && self.dice.below(3) == 0 {
                        -*before
                    } else {
                        self.dice.upto(9)
                    };
                    *before += change;
                    meters.level(id, resource, "oss.storage", change);
                    self.note_level(account, resource, change);
                }
                _ => {}
            }
        }
        let now = base::Time::from_secs(self.now);
        self.world.cloud.db.write(move |tx| meters.write(tx, now)).await.unwrap();
    }

    fn note(
        &mut self,
        account: u64,
        resource: &'static str,
        meter: &'static str,
        at: i64,
        quantity: i64,
    ) {
        let hour = at.div_euclid(HOUR) * HOUR;
        let noted = self.noted.get_mut(&account).unwrap();
        *noted.entry((resource.to_owned(), meter, hour)).or_default() += quantity;
    }

    fn note_level(&mut self, account: u64, resource: &'static str, change: i64) {
        let (level, since) = self.levels.get(&(account, resource)).copied().unwrap_or_default();
        let mut at = if level == 0 { self.now } else { since };
        while at < self.now {
            let end = self.now.min(at.div_euclid(HOUR) * HOUR + HOUR);
            self.note(account, resource, "oss.storage", at, level * (end - at));
            at = end;
        }
        self.levels.insert((account, resource), (level + change, self.now));
    }

    /// Outside meters: new events, some late by up to two months, and repeats of old ones.
    async fn record(&mut self) {
        let mut events = Vec::new();
        for _ in 0..self.dice.below(8) {
            if !self.sent.is_empty() && self.dice.below(3) == 0 {
                let again = self.dice.below(self.sent.len() as u64) as usize;
                events.push(self.sent[again].clone());
                continue;
            }
            let late = [0, 3 * HOUR, 40 * HOUR, 20 * DAY][self.dice.below(4) as usize];
            let event = Event {
                id: format!("event-{}", self.sent.len()),
                account: 1 + self.dice.below(self.noted.len() as u64),
                resource: RESOURCES[self.dice.below(2) as usize],
                start: self.now - self.dice.upto(late),
                quantity: 1 + self.dice.upto(60),
            };
            self.note(event.account, event.resource, "oss.requests", event.start, event.quantity);
            self.sent.push(event.clone());
            events.push(event);
        }
        if events.is_empty() {
            return;
        }
        let json: Vec<_> = events.iter().map(|event| {
            serde_json::json!({
                "Id": event.id, "AccountId": event.account.to_string(), "Resource": event.resource,
                "Meter": "oss.requests", "Start": base::Time::from_secs(event.start).iso(),
                "Quantity": event.quantity.to_string(),
            })
        }).collect();
        let events = serde_json::Value::from(json).to_string();
        self.world.try_call(9, "RecordUsage", &[("Events", &events)]).await.unwrap();
    }

    /// The task runs; sometimes it breaks off anywhere, and the process starts again.
    async fn rate(&mut self) {
        if self.dice.below(2) == 0 {
            let fuse = self.dice.upto(3 * self.noted.len() as i64);
            self.world.releases.fuse.store(fuse, Ordering::SeqCst);
            self.world.rate().await;
            self.world.releases.fuse.store(-1, Ordering::SeqCst);
            self.world.restart();
        } else {
            self.world.rate().await;
        }
    }

    async fn run(&mut self, steps: u32) {
        for _ in 0..steps {
            self.step_clock();
            self.use_something().await;
            if self.dice.below(3) == 0 {
                self.record().await;
            }
            if self.dice.below(3) == 0 {
                self.rate().await;
            }
        }
        // Everything ends; then the bills of both months become final.
        self.now = self.now.max(BEGIN) + 2 * DAY;
        self.world.at(self.now);
        let all: Vec<_> = self.told.iter().map(|(key, level)| (*key, *level)).collect();
        let mut meters = Meters::default();
        for ((account, resource), level) in all {
            meters.level(AccountId::new(account), resource, "oss.storage", -level);
            self.note_level(account, resource, -level);
        }
        let now = base::Time::from_secs(self.now);
        self.world.cloud.db.write(move |tx| meters.write(tx, now)).await.unwrap();
        self.world.at(DECEMBER + 40 * DAY).rate().await;
    }

    /// What each account was billed is what its usage costs; nothing is lost and nothing twice.
    async fn judge(&self) {
        let billed = billed(&self.world).await;
        for (account, noted) in &self.noted {
            let mut noted = noted.clone();
            if self.backwards {
                noted.retain(|(_, meter, _), _| *meter != "oss.storage");
                noted.extend(levels_listed(&self.world, *account).await);
            }
            noted.retain(|_, quantity| *quantity != 0);
            let wanted = cost(&self.world, *account, &noted);
            let mine = billed.get(account).cloned().unwrap_or_default();
            assert_eq!(mine.quantities, noted, "{}/{account}: each quantity once", self.seed);
            assert_eq!(mine.amount, wanted, "{}/{account}: billed is what it costs", self.seed);
        }
        self.world.ledger_balances().await;
        let open = self.world.number("SELECT COUNT(*) FROM billing_late").await;
        assert_eq!(open, 0, "nothing is left to look at");
        let due = self.world.number("SELECT COUNT(*) FROM billing_due").await;
        assert_eq!(due, 0, "nothing is left to commit to");
        let finals = self.world.number("SELECT SUM(amount) FROM billing_bill").await;
        let lines = self.world.number("SELECT SUM(amount) FROM billing_line").await;
        let later = self.world.number(
            "SELECT SUM(amount) FROM billing_line l WHERE NOT EXISTS (SELECT 1 FROM billing_bill b
                 WHERE b.account = l.account AND b.month = l.bill AND b.currency = l.currency)",
        );
        assert_eq!(finals + later.await, lines, "final bills hold the lines of their months");
    }
}

#[derive(Clone, Default)]
struct Billed {
    quantities: Noted,
    amount: i128,
}

/// What lines bill, by account.
async fn billed(world: &World) -> BTreeMap<u64, Billed> {
    let sql = "SELECT account, resource, meter, hour, quantity, amount FROM billing_line";
    let rows = world
        .read(move |tx| {
            let rows = tx.query(sql, &[], |row| {
                let meter =
                    if row.text(2)? == "oss.storage" { "oss.storage" } else { "oss.requests" };
                let key = (row.get::<String>(1)?, meter, row.get::<i64>(3)?);
                Ok((row.get::<u64>(0)?, key, row.get::<i64>(4)?, row.get::<i64>(5)?))
            })?;
            Ok(rows)
        })
        .await;
    let mut billed = BTreeMap::<u64, Billed>::new();
    for (account, key, quantity, amount) in rows {
        let mine = billed.entry(account).or_default();
        *mine.quantities.entry(key).or_default() += quantity;
        mine.amount += i128::from(amount);
    }
    for mine in billed.values_mut() {
        mine.quantities.retain(|_, quantity| *quantity != 0);
    }
    billed
}

async fn levels_listed(world: &World, account: u64) -> Noted {
    let now = base::Time::from_secs(DECEMBER + 40 * DAY);
    let lines =
        world.read(move |tx| meter::usage(tx, AccountId::new(account), 0, i64::MAX, now)).await;
    let levels = lines.into_iter().filter(|line| line.meter == "oss.storage");
    levels.map(|line| ((line.resource, "oss.storage", line.hour), line.quantity)).collect()
}

/// What that usage costs: each month at once, by the public definition.
fn cost(world: &World, account: u64, noted: &Noted) -> i128 {
    let id = AccountId::new(account);
    let months = [i64::MIN, NOVEMBER, DECEMBER, DECEMBER + 31 * DAY];
    let month_of = |hour: i64| months.iter().rposition(|start| *start <= hour).unwrap();
    // Releases in order of the hours that they price.
    let mut used = BTreeMap::<usize, Vec<(String, PriceBook, BTreeMap<String, i128>)>>::new();
    let mut hours: BTreeSet<i64> = noted.keys().map(|(_, _, hour)| *hour).collect();
    while let Some(hour) = hours.pop_first() {
        let at = world.releases.at(id, hour).or_else(|| world.releases.at(id, hour + HOUR - 1));
        let Some(in_force) = at else { continue };
        let InForce { release, terms, .. } = &*in_force;
        let month = used.entry(month_of(hour)).or_default();
        if month.last().is_none_or(|(known, ..)| known != release) {
            month.push((release.clone(), terms.price_book.clone(), BTreeMap::new()));
        }
        let (_, _, sums) = month.last_mut().unwrap();
        for ((_, meter, _), quantity) in noted.iter().filter(|((_, _, at), _)| *at == hour) {
            *sums.entry((*meter).to_owned()).or_default() += i128::from(*quantity);
        }
    }
    let month = |parts: &Vec<(String, PriceBook, BTreeMap<String, i128>)>| -> i128 {
        let periods: Vec<_> = parts.iter().map(|(_, book, used)| Period { book, used }).collect();
        prices::month(&periods).iter().flat_map(BTreeMap::values).sum()
    };
    used.values().map(month).sum()
}

async fn histories(seeds: std::ops::Range<u64>, accounts: u64, backwards: bool) {
    for seed in seeds {
        let mut histories = Histories::new(seed, accounts, backwards);
        histories.run(24).await;
        histories.judge().await;
    }
}

#[tokio::test]
async fn a_thousand_histories_with_repeats_delays_and_crashes_are_billed_what_they_cost() {
    histories(0..10, 100, false).await;
}

#[tokio::test]
async fn a_thousand_histories_with_a_clock_that_is_set_back_too_are_billed_what_they_cost() {
    histories(1000..1010, 100, true).await;
}
