//! What may be had: regions, zones, engines, classes, and what they cost. Only what really runs is listed.

use base::{ApiError, code};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{arn, read};
use crate::classes::{self, Class, STORAGE_GIB};
use crate::deployment::Settings;
use crate::errors::{NO_CLASS, NO_ENGINE, NO_REGION};
use crate::model::{Category, Engine};
use crate::requests::forms::{List, invalid, list, major, version};
use crate::tables::engine::{self as offers, Offer};

/// The names of storage that clients may ask for. It is one kind of storage: directories of the nodes.
pub(super) const STORAGE_TYPES: [&str; 4] =
    ["local_ssd", "cloud_ssd", "cloud_essd", "general_essd"];

const CATEGORIES: [Category; 2] = [Category::Basic, Category::HighAvailability];

fn authorize(cx: &mut Cx<'_>) -> Result<(), ApiError> {
    let arn = arn(cx, cx.account(), "*");
    cx.authorize(&arn)
}

/// The engine of that name; `None` where none is named.
fn engine(name: &str) -> Result<Option<Engine>, ApiError> {
    if name.is_empty() {
        return Ok(None);
    }
    Engine::parse(name).map(Some).ok_or_else(|| no_engine(name))
}

/// Refuses an engine by its name: nobody is to take MariaDB for MySQL.
pub(super) fn no_engine(name: &str) -> ApiError {
    if name.eq_ignore_ascii_case("MySQL") {
        return NO_ENGINE.error("MySQL is not offered here; MariaDB is.");
    }
    NO_ENGINE.into()
}

/// Regions with their zones.
pub(super) struct DescribeRegions;

#[derive(Deserialize)]
pub(super) struct Nothing {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RegionView {
    region_id: String,
    zone_id: String,
    zone_name: String,
    local_name: String,
    region_endpoint: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Regions {
    regions: List<RegionView>,
}

impl Action for DescribeRegions {
    const META: Meta = read("DescribeRegions");
    type Request = Nothing;
    type Response = Regions;

    fn run(cx: &mut Cx<'_>, _: Nothing) -> Result<Regions, ApiError> {
        authorize(cx)?;
        let (region, endpoint) = (&cx.cloud.region, cx.request.host.clone());
        let mut views: Vec<RegionView> = Vec::new();
        for centre in &region.data_centres {
            let id = if centre.region.is_empty() { &region.id } else { &centre.region };
            if views.iter().any(|view| view.zone_id == centre.zone && view.region_id == *id) {
                continue;
            }
            views.push(RegionView {
                region_id: id.clone(),
                zone_id: centre.zone.clone(),
                zone_name: centre.zone.clone(),
                local_name: centre.city.clone(),
                region_endpoint: endpoint.clone(),
            });
        }
        Ok(Regions { regions: list("RDSRegion", views) })
    }
}

/// Zones, and which engines each has.
pub(super) struct DescribeAvailableZones;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ZonesRequest {
    region_id: String,
    zone_id: String,
    engine: String,
    engine_version: String,
    category: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Zones {
    available_zones: Vec<ZoneView>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ZoneView {
    region_id: String,
    zone_id: String,
    supported_engines: Vec<EngineView>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EngineView {
    engine: &'static str,
    supported_engine_versions: Vec<VersionView>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct VersionView {
    version: String,
    supported_categorys: Vec<CategoryView>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CategoryView {
    category: &'static str,
    supported_storage_types: Vec<StorageView>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StorageView {
    storage_type: &'static str,
}

impl Action for DescribeAvailableZones {
    const META: Meta = read("DescribeAvailableZones");
    type Request = ZonesRequest;
    type Response = Zones;

    fn run(cx: &mut Cx<'_>, request: ZonesRequest) -> Result<Zones, ApiError> {
        authorize(cx)?;
        let engine = engine(&request.engine)?;
        let region = region(cx, &request.region_id)?;
        let cloud = cx.cloud;
        let mut zones: Vec<&str> = Vec::new();
        for centre in cloud.region.centres(&region) {
            if !zones.contains(&centre.zone.as_str()) {
                zones.push(&centre.zone);
            }
        }
        let offers: Vec<(String, Offer)> = offers::all(cx.tx())?
            .into_iter()
            .filter(|offer| engine.is_none_or(|engine| offer.build.engine == engine))
            .filter(|Offer { build, .. }| {
                request.engine_version.is_empty()
                    || major(build.engine, &request.engine_version) == build.major
            })
            .filter_map(|offer| {
                let centre = cloud.region.centres(&region).find(|it| it.site == offer.site)?;
                Some((centre.zone.clone(), offer))
            })
            .collect();
        let views = zones
            .into_iter()
            .filter(|zone| request.zone_id.is_empty() || request.zone_id == **zone)
            .map(|zone| ZoneView {
                region_id: region.clone(),
                zone_id: zone.to_owned(),
                supported_engines: engines(&offers, zone, &request.category),
            })
            .filter(|view| !view.supported_engines.is_empty());
        Ok(Zones { available_zones: views.collect() })
    }
}

/// The region that is asked about: the cloud's own where none is.
fn region(cx: &Cx<'_>, id: &str) -> Result<String, ApiError> {
    let region = if id.is_empty() { &cx.cloud.region.id } else { id };
    if cx.cloud.region.centres(region).next().is_none() {
        return Err(NO_REGION.into());
    }
    Ok(region.to_owned())
}

/// What a zone has. A standby needs the same version in another zone.
fn engines(offers: &[(String, Offer)], zone: &str, category: &str) -> Vec<EngineView> {
    let here = |engine| {
        let of = move |offer: &&(String, Offer)| offer.0 == zone && offer.1.build.engine == engine;
        offers.iter().filter(of)
    };
    let mut views = Vec::new();
    for engine in [Engine::Postgres, Engine::MariaDb] {
        let mut majors: Vec<&str> = here(engine).map(|(_, it)| it.build.major.as_str()).collect();
        majors.sort_by_key(|major| crate::requests::forms::ordered(major));
        majors.dedup();
        let versions = majors.into_iter().filter_map(|major| {
            let elsewhere = offers.iter().any(|(other, offer)| {
                other != zone && offer.build.engine == engine && offer.build.major == major
            });
            let categories: Vec<_> = CATEGORIES
                .into_iter()
                .filter(|it| *it == Category::Basic || elsewhere)
                .filter(|it| category.is_empty() || it.as_str() == category)
                .map(|it| CategoryView {
                    category: it.as_str(),
                    supported_storage_types: STORAGE_TYPES
                        .map(|storage_type| StorageView { storage_type })
                        .into(),
                })
                .collect();
            let shown = version(engine, major);
            (!categories.is_empty())
                .then_some(VersionView { version: shown, supported_categorys: categories })
        });
        let versions: Vec<_> = versions.collect();
        if !versions.is_empty() {
            views.push(EngineView { engine: engine.as_str(), supported_engine_versions: versions });
        }
    }
    views
}

/// Classes that may be had of a version in a zone.
pub(super) struct DescribeAvailableClasses;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ClassesRequest {
    region_id: String,
    zone_id: String,
    engine: String,
    engine_version: String,
    category: String,
    #[serde(rename = "DBInstanceStorageType")]
    storage_type: String,
}

#[derive(Serialize)]
pub(super) struct Classes {
    #[serde(rename = "DBInstanceClasses")]
    classes: Vec<ClassView>,
}

#[derive(Serialize)]
struct ClassView {
    #[serde(rename = "DBInstanceClass")]
    class: &'static str,
    #[serde(rename = "DBInstanceStorageRange")]
    range: RangeView,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RangeView {
    min_value: i64,
    max_value: i64,
    step: i64,
}

impl Action for DescribeAvailableClasses {
    const META: Meta = read("DescribeAvailableClasses");
    type Request = ClassesRequest;
    type Response = Classes;

    fn run(cx: &mut Cx<'_>, request: ClassesRequest) -> Result<Classes, ApiError> {
        let zones = DescribeAvailableZones::run(
            cx,
            ZonesRequest {
                region_id: request.region_id,
                zone_id: request.zone_id,
                engine: request.engine,
                engine_version: request.engine_version,
                category: request.category,
            },
        )?;
        let known = request.storage_type.is_empty()
            || STORAGE_TYPES.contains(&request.storage_type.as_str());
        let mut had: Vec<(&str, &str)> = Vec::new();
        for engine in zones.available_zones.iter().flat_map(|zone| &zone.supported_engines) {
            let versions = engine.supported_engine_versions.iter();
            let categories = versions.flat_map(|version| &version.supported_categorys);
            had.extend(categories.map(|view| (engine.engine, view.category)));
        }
        let (min_value, max_value, step) = STORAGE_GIB;
        let fitting = |class: &&Class| {
            known && had.contains(&(class.engine.as_str(), class.category.as_str()))
        };
        let view = |class: &'static Class| ClassView {
            class: &class.name,
            range: RangeView { min_value, max_value, step },
        };
        Ok(Classes { classes: classes::all().iter().filter(fitting).map(view).collect() })
    }
}

/// Every class of the engines that run here.
pub(super) struct ListClasses;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListClassesRequest {
    region_id: String,
    engine: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListClassesResponse {
    region_id: String,
    items: Vec<ClassItem>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ClassItem {
    class_code: &'static str,
    class_group: &'static str,
    cpu: String,
    memory_class: String,
    max_connections: String,
    #[serde(rename = "category")]
    category: &'static str,
    #[serde(rename = "storageType")]
    storage_type: &'static str,
}

impl Action for ListClasses {
    const META: Meta = read("ListClasses");
    type Request = ListClassesRequest;
    type Response = ListClassesResponse;

    fn run(cx: &mut Cx<'_>, request: ListClassesRequest) -> Result<ListClassesResponse, ApiError> {
        authorize(cx)?;
        let engine = engine(&request.engine)?;
        let region_id = region(cx, &request.region_id)?;
        let offers = offers::all(cx.tx())?;
        let runs = |class: &&Class| offers.iter().any(|it| it.build.engine == class.engine);
        let items = classes::all()
            .iter()
            .filter(|class| engine.is_none_or(|engine| class.engine == engine))
            .filter(runs)
            .map(|class| ClassItem {
                class_code: &class.name,
                class_group: if class.dedicated { "Dedicated" } else { "General-purpose" },
                cpu: class.cpu.to_string(),
                memory_class: format!("{}GB", class.memory_gib),
                max_connections: class.connections.to_string(),
                category: class.category.as_str(),
                storage_type: STORAGE_TYPES[0],
            });
        Ok(ListClassesResponse { items: items.collect(), region_id })
    }
}

/// What an hour of an instance costs by the price book of the caller's agreement.
pub(super) struct DescribePrice;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PriceRequest {
    engine: String,
    #[serde(rename = "DBInstanceClass")]
    class: String,
    #[serde(rename = "DBInstanceStorage")]
    storage: i64,
    #[serde(default = "one")]
    quantity: i64,
    #[serde(default)]
    pay_type: String,
}

fn one() -> i64 {
    1
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PriceResponse {
    price_info: PriceView,
    show_discount: bool,
    rules: List<()>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PriceView {
    currency: String,
    original_price: f64,
    discount_price: f64,
    trade_price: f64,
    coupons: List<()>,
    rule_ids: List<()>,
}

impl Action for DescribePrice {
    const META: Meta = read("DescribePrice");
    type Request = PriceRequest;
    type Response = PriceResponse;

    fn run(cx: &mut Cx<'_>, request: PriceRequest) -> Result<PriceResponse, ApiError> {
        authorize(cx)?;
        let engine = Engine::parse(&request.engine).ok_or_else(|| no_engine(&request.engine))?;
        let found = classes::find(&request.class).filter(|class| class.engine == engine);
        let class = found.ok_or(ApiError::new(&NO_CLASS))?;
        storage("DBInstanceStorage", request.storage)?;
        super::paying::postpaid(&request.pay_type)?;
        if !(1..=100).contains(&request.quantity) {
            return Err(invalid("Quantity", "The specified Quantity must be between 1 and 100."));
        }
        let (account, now) = (cx.account(), cx.now);
        let covenant = std::sync::Arc::clone(&cx.cloud.covenant);
        let bound = covenant.in_force(cx.tx(), account, now)?;
        let bound = bound.ok_or(ApiError::new(&code::NO_AGREEMENT))?;
        let book = &bound.terms.price_book;
        let hour = class.levels(request.storage).into_iter().map(|(meter, level)| {
            let used = i128::from(level) * 3600 * i128::from(request.quantity);
            book.price(meter).map_or(0, |price| {
                // By the first tier's price: what is free, and what gets cheaper, hangs on the whole month.
                let first = i128::from(price.free);
                price.cost(first, first + used)
            })
        });
        let price = hour.sum::<i128>() as f64 / 1e6;
        let none = || list("Rule", []);
        Ok(PriceResponse {
            price_info: PriceView {
                currency: book.currency.clone(),
                original_price: price,
                discount_price: 0.0,
                trade_price: price,
                coupons: list("Coupon", []),
                rule_ids: list("RuleId", []),
            },
            show_discount: false,
            rules: none(),
        })
    }
}

/// Storage that an instance may have, GiB.
pub(super) fn storage(name: &str, gib: i64) -> Result<(), ApiError> {
    let (least, most, step) = STORAGE_GIB;
    if (least..=most).contains(&gib) && gib % step == 0 {
        return Ok(());
    }
    let message =
        format!("The specified {name} must be between {least} and {most} GB, in steps of {step}.");
    Err(invalid(name, message))
}

/// Refuses a port that is not the public one of that engine: names share one port.
pub(super) fn port(engine: Engine, asked: &str) -> Result<(), ApiError> {
    let port = Settings::told().port(engine);
    if asked.is_empty() || asked == port.to_string() {
        return Ok(());
    }
    let message = format!("{} is reached on port {port}; other ports are", engine.as_str());
    Err(crate::requests::forms::not_supported(message))
}
